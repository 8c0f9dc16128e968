package whozex

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// ProxyType is the kind of proxies in a package.
type ProxyType string

// The documented proxy types.
const (
	ProxyResidential ProxyType = "residential"
	ProxyDatacenter  ProxyType = "datacenter"
	ProxyMobile      ProxyType = "mobile"
)

// Package is a proxy package of a sub-user. Fields that a response does not have are
// zero. The JSON of a Package omits amounts that are 0, except RemainingGB.
type Package struct {
	ID          string          `json:"id" api:"documented=PurchasePackage,path=GetPackage AddGB"`
	ProxyType   ProxyType       `json:"proxy_type" api:"documented=PurchasePackage"`
	TotalGB     decimal.Decimal `json:"total_gb,omitzero" api:"documented=PurchasePackage"`
	UsedGB      decimal.Decimal `json:"used_gb,omitzero" api:"documented=PurchasePackage"`
	RemainingGB decimal.Decimal `json:"remaining_gb" api:"documented=PurchasePackage GetPackage"`
	Status      string          `json:"status" api:"documented=PurchasePackage"`
	// EvomiUsername and EvomiPassword log in to the proxies; see [Client.GetCredentials]
	// for connection strings.
	EvomiUsername string `json:"evomi_username" api:"documented=PurchasePackage"`
	EvomiPassword Secret `json:"evomi_password,omitempty" api:"documented=PurchasePackage"`
	// Cost, PricePerGB and UserBalanceAfter are in USD.
	Cost             decimal.Decimal `json:"cost,omitzero" api:"documented=PurchasePackage"`
	PricePerGB       decimal.Decimal `json:"price_per_gb,omitzero" api:"documented=PurchasePackage"`
	UserBalanceAfter decimal.Decimal `json:"user_balance_after,omitzero" api:"documented=PurchasePackage"`
	CreatedAt        time.Time       `json:"created_at,omitzero" api:"documented=PurchasePackage"`
	// ExpiresAt is zero if the package does not expire.
	ExpiresAt time.Time `json:"expires_at,omitzero" api:"documented=PurchasePackage,null"`
	// Live reports whether RemainingGB is the provider's current figure.
	Live bool `json:"live" api:"documented=GetPackage,only=GetPackage"`

	origin
}

// LogValue implements [slog.LogValuer] without the password.
func (p Package) LogValue() slog.Value { return logGroup(p) }

// Format implements [fmt.Formatter], see [Secret].
func (p Package) Format(f fmt.State, verb rune) {
	type plain Package
	p.origin = origin{} // %s would show its bytes
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(p))
}

// PurchasePackageParams describe a package to buy.
type PurchasePackageParams struct {
	// GB is the size, at least 1.
	GB int `json:"gb"`
	// ProxyType is residential when empty.
	ProxyType ProxyType `json:"proxy_type,omitempty"`
}

func (p PurchasePackageParams) validate() error {
	if err := positive("gb", p.GB); err != nil || p.ProxyType == "" {
		return err
	}
	return oneOf("proxy_type", p.ProxyType, ProxyResidential, ProxyDatacenter, ProxyMobile)
}

// PurchasePackage buys a package for a sub-user, at your custom or VIP price, from the
// sub-user's balance. It returns [ErrInsufficientBalance] if that is too low. The API
// documents it as a heavy operation. After an [OutcomeUnknownError] do not repeat it: the
// money may be spent. [Client.Reconcile] looks for evidence but cannot find the id of the
// package; its documented source is the package.created webhook, see
// [EventPackageCreated].
//
// POST /users/{user_id}/packages
func (c *Client) PurchasePackage(ctx context.Context, userID string, params PurchasePackageParams, opts ...CallOption) (*Package, error) {
	req := write(OpPurchasePackage, "/users/{user_id}/packages", userID)
	req.check(params.validate())
	req.body = params
	return call[Package](ctx, c, req, opts)
}

// GetPackage returns a package with the GB that remain, queried live from the provider.
//
// GET /packages/{package_id}
func (c *Client) GetPackage(ctx context.Context, packageID string, opts ...CallOption) (*Package, error) {
	return call[Package](ctx, c, read(OpGetPackage, "/packages/{package_id}", packageID), opts)
}

// AddGBParams describe an extension of a package.
type AddGBParams struct {
	// GB to add, at least 1.
	GB int `json:"gb"`
	// Note appears in the transaction history: if it is unique, [Client.Reconcile] can
	// find the call.
	Note string `json:"note,omitempty"`
}

// AddGB adds GB to a package, paid from the balance of its owner. It returns
// [ErrInsufficientBalance] if that is too low. After an [OutcomeUnknownError] repeat it
// only if [Client.Reconcile], which looks for the note, returns "not applied".
//
// POST /packages/{package_id}/add-gb
func (c *Client) AddGB(ctx context.Context, packageID string, params AddGBParams, opts ...CallOption) (*Package, error) {
	req := write(OpAddGB, "/packages/{package_id}/add-gb", packageID)
	req.check(positive("gb", params.GB))
	req.body = params
	return call[Package](ctx, c, req, opts)
}

// Targeting selects the location of the proxies.
type Targeting struct {
	// Country is a two-letter ISO code, in either case, or "any"; empty lets the
	// API choose.
	Country string `json:"country"`
	// City is a city's name, such as "Istanbul"; empty for none.
	City string `json:"city" api:"null"`
}

func (t Targeting) validate() error {
	letters := strings.Trim(strings.ToUpper(t.Country), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
	if t.Country != "" && !strings.EqualFold(t.Country, "any") && (len(t.Country) != 2 || !letters) {
		return invalid("country", "%q is neither a two-letter code nor \"any\"", t.Country)
	}
	if strings.ContainsFunc(t.City, control) {
		return invalid("city", "%q holds a control character", t.City)
	}
	return nil
}

func (t Targeting) query() url.Values {
	q := url.Values{}
	switch {
	case strings.EqualFold(t.Country, "any"):
		q.Set("country", "any")
	case t.Country != "":
		q.Set("country", strings.ToUpper(t.Country))
	}
	if t.City != "" {
		q.Set("city", t.City)
	}
	return q
}

// GetCredentials returns the connection strings of a package's proxies.
//
// GET /packages/{package_id}/credentials
func (c *Client) GetCredentials(ctx context.Context, packageID string, target Targeting, opts ...CallOption) (*Credentials, error) {
	req := read(OpGetCredentials, "/packages/{package_id}/credentials", packageID)
	req.check(target.validate())
	req.query = target.query()
	return call[Credentials](ctx, c, req, opts)
}

// Granularity is the step of a usage chart.
type Granularity string

// The documented steps.
const (
	GranularityMinute Granularity = "minute"
	GranularityHour   Granularity = "hour"
	GranularityDay    Granularity = "day"
)

// UsageParams choose a usage chart.
type UsageParams struct {
	// Duration is a count and a unit, such as "1d", "7d" or "30d"; empty means
	// the API's default, "7d".
	Duration string
	// Granularity is by day when empty.
	Granularity Granularity
}

var duration = regexp.MustCompile(`^[1-9][0-9]{0,5}[a-z]{1,2}$`)

func (p UsageParams) query(req *request) {
	req.query = url.Values{}
	if p.Duration != "" {
		if !duration.MatchString(p.Duration) {
			req.check(invalid("duration", "%q is not a count and a unit such as 7d", p.Duration))
		}
		req.query.Set("duration", p.Duration)
	}
	if p.Granularity != "" {
		req.check(oneOf("granularity", p.Granularity, GranularityMinute, GranularityHour, GranularityDay))
		req.query.Set("granularity", string(p.Granularity))
	}
}

// Usage is the history of a package's traffic. The API documents that it returns one for
// charts, but not the names of the fields. If no chart was found, Chart is empty; RawJSON
// has everything.
type Usage struct {
	Chart []ChartPoint `json:"chart" api:"inferred,list"`
	// Totals has the single values beside the chart, by the API's names.
	Totals map[string]decimal.Decimal `json:"totals" api:"inferred,optional"`

	origin
}

// UnmarshalJSON infers the fields; RawJSON has everything.
func (u *Usage) UnmarshalJSON(data []byte) error { return u.infer(data) }

func (u *Usage) infer(data []byte) error {
	found := valuesByName(data)
	*u = Usage{Chart: found.chart(), Totals: found.breakdown("total")}
	return nil
}

// GetUsage returns the traffic history of a package.
//
// GET /packages/{package_id}/usage
func (c *Client) GetUsage(ctx context.Context, packageID string, params UsageParams, opts ...CallOption) (*Usage, error) {
	req := read(OpGetUsage, "/packages/{package_id}/usage", packageID)
	params.query(&req)
	return call[Usage](ctx, c, req, opts)
}
