package whozex

import (
	"context"
	"net/url"
	"strconv"

	"github.com/shopspring/decimal"
)

// Pricing lists the price tiers. All prices are in USD.
type Pricing struct {
	IsVIP bool `json:"is_vip"`
	// CustomPricePerGB is null without a custom price.
	CustomPricePerGB decimal.NullDecimal `json:"custom_price_per_gb"`
	Plans            []Plan              `json:"plans"`

	origin
}

// Plan is a price tier. Prices are in USD per GB, TotalCost is in USD.
type Plan struct {
	GB            int             `json:"gb"`
	Label         string          `json:"label"`
	StandardPrice decimal.Decimal `json:"standard_price"`
	VIPPrice      decimal.Decimal `json:"vip_price"`
	// YourPrice is the price per GB that you pay.
	YourPrice decimal.Decimal `json:"your_price"`
	TotalCost decimal.Decimal `json:"total_cost"`
}

// GetPricing returns the price tiers.
//
// GET /pricing
func (c *Client) GetPricing(ctx context.Context, opts ...CallOption) (*Pricing, error) {
	return call[Pricing](ctx, c, read(OpGetPricing, "/pricing"), opts)
}

// Quote is what a purchase would cost you now, in USD.
type Quote struct {
	GB         int             `json:"gb"`
	PricePerGB decimal.Decimal `json:"price_per_gb"`
	Total      decimal.Decimal `json:"total"`
	IsVIP      bool            `json:"is_vip"`
	// CustomPrice reports whether PricePerGB is your custom price.
	CustomPrice bool `json:"custom_price"`

	origin
}

// CalculatePrice returns the exact cost of gb GB, at least 1.
//
// GET /pricing/calculate
func (c *Client) CalculatePrice(ctx context.Context, gb int, opts ...CallOption) (*Quote, error) {
	req := read(OpCalculatePrice, "/pricing/calculate")
	req.check(positive("gb", gb))
	req.query = url.Values{"gb": {strconv.Itoa(gb)}}
	return call[Quote](ctx, c, req, opts)
}
