package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// call is a call of an operation, or a call of Do.
type call struct {
	name     string
	mutating bool
	make     func(context.Context, *whozex.Client, ...whozex.CallOption) error
}

// calls returns a call for every operation, with parameters that are valid on the fake
// server.
func calls(user, pkg string) []call {
	ten := decimal.NewFromInt(10)
	target := whozex.Targeting{}
	return []call{
		{name: "GetAccount", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetAccount(ctx, o...)
			return err
		}},
		{name: "GetAccountStats", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetAccountStats(ctx, o...)
			return err
		}},
		{name: "ListTransactions", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.ListTransactions(ctx, whozex.ListTransactionsParams{}, o...)
			return err
		}},
		{name: "RegenerateKey", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.RegenerateKey(ctx, o...)
			return err
		}},
		{name: "ListUsers", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.ListUsers(ctx, whozex.ListUsersParams{}, o...)
			return err
		}},
		{name: "CreateUser", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.CreateUser(ctx, whozex.CreateUserParams{Email: "new@example.com"}, o...)
			return err
		}},
		{name: "AddBalance", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.AddBalance(ctx, user, ten, "note", o...)
			return err
		}},
		{name: "DeductBalance", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.DeductBalance(ctx, user, ten, "note", o...)
			return err
		}},
		{name: "PurchasePackage", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.PurchasePackage(ctx, user, whozex.PurchasePackageParams{GB: 2}, o...)
			return err
		}},
		{name: "GetPackage", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetPackage(ctx, pkg, o...)
			return err
		}},
		{name: "AddGB", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.AddGB(ctx, pkg, whozex.AddGBParams{GB: 2}, o...)
			return err
		}},
		{name: "GetCredentials", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetCredentials(ctx, pkg, target, o...)
			return err
		}},
		{name: "GetUsage", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetUsage(ctx, pkg, whozex.UsageParams{}, o...)
			return err
		}},
		{name: "GetPricing", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetPricing(ctx, o...)
			return err
		}},
		{name: "CalculatePrice", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.CalculatePrice(ctx, 10, o...)
			return err
		}},
		{name: "GetAnalyticsOverview", make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.GetAnalyticsOverview(ctx, o...)
			return err
		}},
		{name: "CreateWebhook", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			_, err := c.CreateWebhook(ctx, whozex.CreateWebhookParams{
				URL: "https://example.com/hook", Events: []string{"package.created"},
			}, o...)
			return err
		}},
		{name: "Do DELETE", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			return c.Do(ctx, http.MethodDelete, "things/1", nil, nil, nil, o...)
		}},
		{name: "Do PUT", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			return c.Do(ctx, http.MethodPut, "things/1", nil, map[string]int{"n": 1}, nil, o...)
		}},
		{name: "Do OPTIONS", mutating: true, make: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) error {
			return c.Do(ctx, http.MethodOptions, "things/1", nil, nil, nil, o...)
		}},
	}
}

// responses makes every call once on a fake server and returns the response bodies by
// method and path, for the servers that simulate faults.
func responses(t *testing.T) (all []call, bodies map[string]string) {
	t.Helper()
	server := whozextest.NewServer(whozextest.WithBalance(decimal.NewFromInt(10_000)))
	t.Cleanup(server.Close)
	bodies = map[string]string{}
	client := server.Client(whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return nil, err
			}
			bodies[r.Method+" "+r.URL.Path] = string(body)
			resp.Body = io.NopCloser(bytes.NewReader(body))
			return resp, nil
		})
	}))
	t.Cleanup(client.CloseIdleConnections)
	user, err := client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "user@example.com"})
	require.NoError(t, err)
	_, err = client.AddBalance(t.Context(), user.ID, decimal.NewFromInt(1000), "")
	require.NoError(t, err)
	pkg, err := client.PurchasePackage(t.Context(), user.ID, whozex.PurchasePackageParams{GB: 5})
	require.NoError(t, err)
	all = calls(user.ID, pkg.ID)
	for _, c := range all {
		if err := c.make(t.Context(), client); len(c.name) < 3 || c.name[:3] != "Do " {
			require.NoError(t, err, c.name)
		}
	}
	for _, method := range []string{"DELETE", "PUT", "OPTIONS"} {
		bodies[method+" /v1/things/1"] = `{"success":true,"data":{},"meta":{"timestamp":"2025-01-01T12:00:00Z","version":"1.0.0"}}`
	}
	return all, bodies
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
