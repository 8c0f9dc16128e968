package whozex_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

func TestError_Sentinels(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   error
	}{
		{name: "missing key", status: 401, body: refusal("MISSING_API_KEY", "m"), want: whozex.ErrMissingAPIKey},
		{name: "invalid key", status: 401, body: refusal("INVALID_API_KEY", "m"), want: whozex.ErrInvalidAPIKey},
		{name: "disabled", status: 403, body: refusal("API_DISABLED", "m"), want: whozex.ErrAPIDisabled},
		{name: "not found", status: 404, body: refusal("NOT_FOUND", "m"), want: whozex.ErrNotFound},
		{name: "missing field", status: 400, body: refusal("MISSING_FIELD", "m"), want: whozex.ErrMissingField},
		{name: "invalid params", status: 400, body: refusal("INVALID_PARAMS", "m"), want: whozex.ErrInvalidParams},
		{name: "email taken", status: 409, body: refusal("EMAIL_TAKEN", "m"), want: whozex.ErrEmailTaken},
		{name: "balance", status: 402, body: refusal("INSUFFICIENT_BALANCE", "m"), want: whozex.ErrInsufficientBalance},
		{name: "code over status", status: 500, body: refusal("INSUFFICIENT_BALANCE", "m"), want: whozex.ErrInsufficientBalance},
		{name: "refused under 200", status: 200, body: refusal("NOT_FOUND", "m"), want: whozex.ErrNotFound},
		{name: "documented code without success", status: 200, body: `{"error":{"code":"NOT_FOUND"}}`, want: whozex.ErrNotFound},
		{name: "unknown code by status", status: 404, body: refusal("SOMETHING_NEW", "m"), want: whozex.ErrNotFound},
		{name: "rate limited", status: 429, body: refusal("SLOW_DOWN", "m"), want: whozex.ErrRateLimited},
		{name: "HTML page", status: 502, body: "<html>Bad Gateway</html>", want: whozex.ErrServer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, tt.status, tt.body) }, whozex.WithMaxRetries(0))
			_, err := client.GetAccount(t.Context())
			require.ErrorIs(t, err, tt.want)
			var apiErr *whozex.Error
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, tt.status, apiErr.StatusCode)
			assert.Equal(t, tt.body, string(apiErr.Body))
			assert.Equal(t, "/account", apiErr.Path)
			assert.Equal(t, 1, apiErr.Attempts)
		})
	}
}

func TestError_StatusAlone(t *testing.T) {
	assert.ErrorIs(t, &whozex.Error{StatusCode: 404}, whozex.ErrNotFound)
}

func TestResponseError(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                "",
		"not JSON":             "<html>",
		"no envelope":          `{"id":"x"}`,
		"an array":             `[1]`,
		"no data":              `{"success":true}`,
		"null data":            `{"success":true,"data":null}`,
		"another type":         ok(`{"balance":{}}`),
		"cut":                  ok(`{"id":"x"}`)[:30],
		"a long number":        ok(`{"balance":1` + strings.Repeat("0", 64) + `}`),
		"a long number, text":  ok(`{"balance":"1` + strings.Repeat("0", 500_000) + `"}`),
		"a long unknown field": ok(`{"other":` + strings.Repeat("7", 65) + `}`),
		"too long":             ok(`{"name":"` + strings.Repeat("n", 1<<20) + `"}`),
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, body) }, whozex.WithMaxResponseBytes(1<<20))
			_, err := client.GetAccount(t.Context())
			var unreadable *whozex.ResponseError
			require.ErrorAs(t, err, &unreadable)
			assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
			assert.Equal(t, 200, unreadable.StatusCode)
			assert.Equal(t, body[:min(len(body), 1<<20)], string(unreadable.Body))

			_, err = client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "a@b"})
			var unknown *whozex.OutcomeUnknownError
			require.ErrorAs(t, err, &unknown, "a spend may have been carried out")
			require.ErrorAs(t, err, &unreadable)
			assert.Equal(t, body[:min(len(body), 1<<20)], string(unknown.Body))
		})
	}
}

func TestDecode_LongTexts(t *testing.T) {
	name := strings.Repeat("7", 200)
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, 200, ok(`{"id":"r1","name":"`+name+`","balance":1.50,"stats":{"total_spent":0},"created_at":""}`))
	})
	account, err := client.GetAccount(t.Context())
	require.NoError(t, err)
	assert.Equal(t, name, account.Name)
	assertMoney(t, "1.5", account.Balance)
}

func TestParamError_NothingIsSent(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s was sent", r.Method, r.URL)
		respond(w, 500, "")
	})
	long := decimal.New(1, 9000)
	for _, tt := range []struct {
		name, field string
		want        error
		call        func(context.Context) error
	}{
		{name: "no id", field: "package_id", want: whozex.ErrMissingField, call: func(ctx context.Context) error { _, err := client.GetPackage(ctx, ""); return err }},
		{name: "dot", field: "package_id", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error { _, err := client.GetPackage(ctx, "."); return err }},
		{name: "dot dot", field: "user_id", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.AddBalance(ctx, "..", dec("1"), "")
			return err
		}},
		{name: "another route", field: "package_id", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.GetPackage(ctx, "../account/regenerate-key")
			return err
		}},
		{name: "control character", field: "package_id", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error { _, err := client.GetPackage(ctx, "a\nb"); return err }},
		{name: "amount zero", field: "amount", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.AddBalance(ctx, "u", decimal.Zero, "")
			return err
		}},
		{name: "amount negative", field: "amount", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.DeductBalance(ctx, "u", dec("-5"), "")
			return err
		}},
		{name: "amount of 9,000 digits", field: "amount", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.AddBalance(ctx, "u", long, "")
			return err
		}},
		{name: "no GB", field: "gb", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.PurchasePackage(ctx, "u", whozex.PurchasePackageParams{})
			return err
		}},
		{name: "proxy type", field: "proxy_type", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.PurchasePackage(ctx, "u", whozex.PurchasePackageParams{GB: 1, ProxyType: "isp"})
			return err
		}},
		{name: "add no GB", field: "gb", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error { _, err := client.AddGB(ctx, "p", whozex.AddGBParams{}); return err }},
		{name: "price of no GB", field: "gb", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error { _, err := client.CalculatePrice(ctx, 0); return err }},
		{name: "country", field: "country", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.GetCredentials(ctx, "p", whozex.Targeting{Country: "TUR"})
			return err
		}},
		{name: "duration", field: "duration", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.GetUsage(ctx, "p", whozex.UsageParams{Duration: "week"})
			return err
		}},
		{name: "granularity", field: "granularity", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.GetUsage(ctx, "p", whozex.UsageParams{Granularity: "week"})
			return err
		}},
		{name: "limit", field: "limit", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.ListUsers(ctx, whozex.ListUsersParams{Limit: 101})
			return err
		}},
		{name: "page", field: "page", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.ListTransactions(ctx, whozex.ListTransactionsParams{Page: -1})
			return err
		}},
		{name: "type", field: "type", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.ListTransactions(ctx, whozex.ListTransactionsParams{Type: "refund"})
			return err
		}},
		{name: "no email", field: "email", want: whozex.ErrMissingField, call: func(ctx context.Context) error {
			_, err := client.CreateUser(ctx, whozex.CreateUserParams{})
			return err
		}},
		{name: "no address", field: "email", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john"})
			return err
		}},
		{name: "webhook over http", field: "url", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			_, err := client.CreateWebhook(ctx, whozex.CreateWebhookParams{URL: "http://example.com", Events: []string{"x"}})
			return err
		}},
		{name: "no events", field: "events", want: whozex.ErrMissingField, call: func(ctx context.Context) error {
			_, err := client.CreateWebhook(ctx, whozex.CreateWebhookParams{URL: "https://example.com"})
			return err
		}},
		{name: "path with a query", field: "path", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			return client.Do(ctx, "GET", "/x?y=z", nil, nil, nil)
		}},
		{name: "path above the base URL", field: "path", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error {
			return client.Do(ctx, "GET", "/users/%2e%2e/account", nil, nil, nil)
		}},
		{name: "method", field: "method", want: whozex.ErrInvalidParams, call: func(ctx context.Context) error { return client.Do(ctx, "GE T", "/x", nil, nil, nil) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t.Context())
			require.ErrorIs(t, err, tt.want)
			var param *whozex.ParamError
			require.ErrorAs(t, err, &param)
			assert.Equal(t, tt.field, param.Field)
			assert.Less(t, len(err.Error()), 200)
		})
	}
}

func TestClient_KeyIsNeverPrinted(t *testing.T) {
	body := refusal("NOT_FOUND", "key "+testKey+" was seen")
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, 500, body) }, whozex.WithMaxRetries(0))
	_, readErr := client.GetPackage(t.Context(), testKey)
	body = "<html>" + testKey
	_, spendErr := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	require.ErrorIs(t, spendErr, whozex.ErrOutcomeUnknown)
	var apiErr *whozex.Error
	require.ErrorAs(t, readErr, &apiErr)
	assert.Contains(t, string(apiErr.Body), testKey, "the body stays as it came")
	secrets := whozex.Webhook{Secret: testKey}
	for _, v := range []any{client, readErr, spendErr, apiErr, secrets, &secrets, whozex.Secret(testKey), &whozex.RegeneratedKey{APIKey: testKey}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			assert.NotContains(t, fmt.Sprintf(verb, v), testKey, "%T with %s", v, verb)
			assert.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", testKey), "%T with %s", v, verb)
		}
	}
}

func TestNew_InvalidOptions(t *testing.T) {
	for name, opt := range map[string]whozex.Option{
		"plain http":    whozex.WithBaseURL("http://api.example.com/v1"),
		"no host":       whozex.WithBaseURL("https:///v1"),
		"a user":        whozex.WithBaseURL("https://a:b@example.com"),
		"a query":       whozex.WithBaseURL("https://example.com?x"),
		"no timeout":    whozex.WithTimeout(0),
		"retries":       whozex.WithMaxRetries(-1),
		"backoff":       whozex.WithBackoff(2, 1),
		"size":          whozex.WithMaxResponseBytes(0),
		"no client":     whozex.WithHTTPClient(nil),
		"no limiter":    whozex.WithLimiter(nil),
		"user agent":    whozex.WithUserAgent("a\nb"),
		"no base URL":   whozex.WithBaseURL(""),
		"a retry after": whozex.WithMaxRetryAfter(0),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := whozex.New(testKey, opt)
			var param *whozex.ParamError
			require.ErrorAs(t, err, &param)
		})
	}
	_, err := whozex.New("")
	require.ErrorIs(t, err, whozex.ErrMissingAPIKey)
	_, err = whozex.New("wx_live\n")
	require.ErrorIs(t, err, whozex.ErrInvalidParams)
	t.Setenv("WHOZEX_API_KEY", "")
	_, err = whozex.FromEnv()
	require.ErrorIs(t, err, whozex.ErrMissingAPIKey)
}
