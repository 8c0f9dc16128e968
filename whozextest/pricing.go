package whozextest

import "github.com/shopspring/decimal"

type tier struct {
	gb            int64
	label         string
	standard, vip decimal.Decimal
}

// tiers are sorted by size; each applies up to the next.
var tiers = []tier{
	{10, "10 GB", decimal.New(200, -2), decimal.New(160, -2)},
	{100, "100 GB", decimal.New(100, -2), decimal.New(80, -2)},
}

func (s *Server) price(t tier) decimal.Decimal {
	switch {
	case s.settings.custom.Valid:
		return s.settings.custom.Decimal
	case s.settings.vip:
		return t.vip
	}
	return t.standard
}

// priceOf returns the reseller's price per GB for gb GB.
func (s *Server) priceOf(gb decimal.Decimal) decimal.Decimal {
	found := tiers[0]
	for _, t := range tiers[1:] {
		if gb.GreaterThanOrEqual(decimal.NewFromInt(t.gb)) {
			found = t
		}
	}
	return s.price(found)
}

type pricingView struct {
	IsVIP            bool       `json:"is_vip"`
	CustomPricePerGB *money     `json:"custom_price_per_gb"`
	Plans            []planView `json:"plans"`
}

type planView struct {
	GB            int64  `json:"gb"`
	Label         string `json:"label"`
	StandardPrice money  `json:"standard_price"`
	VIPPrice      money  `json:"vip_price"`
	YourPrice     money  `json:"your_price"`
	TotalCost     money  `json:"total_cost"`
}

func (s *Server) getPricing(*call) (any, *failure) {
	v := pricingView{IsVIP: s.settings.vip, CustomPricePerGB: nullMoney(s.settings.custom)}
	for _, t := range tiers {
		price := s.price(t)
		v.Plans = append(v.Plans, planView{
			GB: t.gb, Label: t.label, StandardPrice: money(t.standard), VIPPrice: money(t.vip),
			YourPrice: money(price), TotalCost: money(price.Mul(decimal.NewFromInt(t.gb))),
		})
	}
	return v, nil
}

type quoteView struct {
	GB          quantity `json:"gb"`
	PricePerGB  money    `json:"price_per_gb"`
	Total       money    `json:"total"`
	IsVIP       bool     `json:"is_vip"`
	CustomPrice bool     `json:"custom_price"`
}

func (s *Server) calculatePrice(c *call) (any, *failure) {
	gb, failed := wholeGB(c.query.Get("gb"))
	if failed != nil {
		return nil, failed
	}
	price := s.priceOf(gb)
	return quoteView{
		GB: quantity(gb), PricePerGB: money(price), Total: money(price.Mul(gb)),
		IsVIP: s.settings.vip, CustomPrice: s.settings.custom.Valid,
	}, nil
}
