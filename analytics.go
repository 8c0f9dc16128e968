package whozex

import (
	"context"

	"github.com/shopspring/decimal"
)

// AnalyticsOverview has the totals of all sub-users. The API documents that it has
// balances, package counts, spending and a chart of 30 days, but not the names of the
// fields. A field that was not found is empty; RawJSON has everything.
type AnalyticsOverview struct {
	// Balances and Spending are in USD, by the names that the API gives.
	Balances map[string]decimal.Decimal `json:"balances" api:"inferred"`
	Spending map[string]decimal.Decimal `json:"spending" api:"inferred"`
	// Packages are counts, by the names that the API gives.
	Packages map[string]decimal.Decimal `json:"packages" api:"inferred"`
	Chart    []ChartPoint               `json:"chart" api:"inferred,list"`

	origin
}

// UnmarshalJSON infers the fields; RawJSON has everything.
func (a *AnalyticsOverview) UnmarshalJSON(data []byte) error { return a.infer(data) }

func (a *AnalyticsOverview) infer(data []byte) error {
	found := valuesByName(data)
	*a = AnalyticsOverview{
		Balances: found.breakdown("balance"),
		Packages: found.breakdown("package"),
		Spending: found.breakdown("spen", "cost", "revenue"),
		Chart:    found.chart(),
	}
	return nil
}

// GetAnalyticsOverview returns the sums over all sub-users.
//
// GET /analytics/overview
func (c *Client) GetAnalyticsOverview(ctx context.Context, opts ...CallOption) (*AnalyticsOverview, error) {
	return call[AnalyticsOverview](ctx, c, read(OpGetAnalyticsOverview, "/analytics/overview"), opts)
}
