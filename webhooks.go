package whozex

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/shopspring/decimal"
)

// The documented event names; the API may send others. Only the data of
// [EventPackageCreated] is documented, see [PackageCreated].
const (
	EventPackageCreated = "package.created"
	EventPackageLowGB   = "package.low_gb"
	EventBalanceAdded   = "balance.added"
	EventUserCreated    = "user.created"
)

// PackageCreated is the data of an [EventPackageCreated]. It contains the id of a package
// whose purchase ended with an [OutcomeUnknownError].
type PackageCreated struct {
	UserID    string          `json:"user_id"`
	PackageID string          `json:"package_id"`
	GB        decimal.Decimal `json:"gb"`
	// Cost is in USD.
	Cost decimal.Decimal `json:"cost"`
}

// Webhook is a registered webhook.
type Webhook struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	// Secret signs the events. The API returns it only once: store it.
	Secret Secret `json:"secret"`
	Note   string `json:"note"`

	origin
}

// LogValue implements [slog.LogValuer] without the secret.
func (w Webhook) LogValue() slog.Value { return logGroup(w) }

// Format implements [fmt.Formatter], see [Secret].
func (w Webhook) Format(f fmt.State, verb rune) {
	type plain Webhook
	w.origin = origin{} // %s would show its bytes
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(w))
}

// CreateWebhookParams describe a new webhook.
type CreateWebhookParams struct {
	// URL must be https. Plain http is accepted for loopback addresses, and with
	// [WithInsecureHTTP].
	URL string `json:"url"`
	// Events are the names to subscribe to, at least one; names that this SDK
	// does not know are sent as they are.
	Events []string `json:"events"`
}

func (p CreateWebhookParams) validate(s *settings) error {
	if p.URL == "" {
		return missing("url")
	}
	target, err := url.Parse(p.URL)
	if err != nil || target.Host == "" || !s.mayReceive(target) {
		return invalid("url", "must be an https address")
	}
	if len(p.Events) == 0 {
		return missing("events")
	}
	for i, name := range p.Events {
		if name == "" {
			return invalid("events", "holds an empty name at index %d", i)
		}
	}
	return nil
}

// CreateWebhook registers a webhook; an account may have at most 10. The API documents no
// route to list or remove webhooks and does not return the secret again: register once,
// and store id and secret. After an [OutcomeUnknownError] there may be a webhook whose
// secret is lost, unless the error's Body contains it. Register again then, and reject
// events that match no known secret.
//
// POST /webhooks
func (c *Client) CreateWebhook(ctx context.Context, params CreateWebhookParams, opts ...CallOption) (*Webhook, error) {
	req := write(OpCreateWebhook, "/webhooks")
	req.check(params.validate(&c.settings))
	req.body = params
	return call[Webhook](ctx, c, req, opts)
}
