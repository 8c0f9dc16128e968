package whozex_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const testKey = "wx_live_example"

const testMeta = `{"timestamp":"2025-01-01T12:00:00.000Z","version":"1.0.0"}`

// everything is data with all required fields of every result.
const everything = `{"id":"r1","name":"Reseller","email":"reseller@example.com","balance":150.00,"is_vip":false,
	"api_key":{"last_used_at":null},"stats":{"packages":1,"sub_users":1,"total_spent":30.00},
	"pricing":{"custom_price_per_gb":null},"custom_price_per_gb":null,"plans":[],
	"gb":20,"price_per_gb":0.90,"total":18.00,"custom_price":true,
	"users":[],"pagination":{"total":0,"page":1,"limit":20,"pages":0,"has_next":false,"has_prev":false},
	"package_count":0,"created_at":"2025-01-01T12:00:00Z","expires_at":null,
	"user_id":"u1","action":"add","amount":50.00,"user_balance":50.00,"reseller_balance":100.00,
	"proxy_type":"residential","total_gb":20,"used_gb":0,"remaining_gb":20,"status":"active","live":true,
	"evomi_username":"wx1","evomi_password":"wxp1","cost":18.00,"user_balance_after":32.00,
	"username":"wx1","password":"wxp1","url":"https://example.com","events":["package.created"],"secret":"wxsec_1","note":""}`

func ok(data string) string { return `{"success":true,"data":` + data + `,"meta":` + testMeta + `}` }

func refusal(code, message string) string {
	return fmt.Sprintf(`{"success":false,"error":{"code":%q,"message":%q},"meta":%s}`, code, message, testMeta)
}

// serve returns a client of a server with handler.
func serve(t *testing.T, handler http.HandlerFunc, opts ...whozex.Option) *whozex.Client {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	opts = append([]whozex.Option{whozex.WithBaseURL(srv.URL + "/v1"), whozex.WithBackoff(0, time.Millisecond)}, opts...)
	client, err := whozex.New(testKey, opts...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func respond(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func assertMoney(t *testing.T, want string, got decimal.Decimal) {
	t.Helper()
	assert.Truef(t, dec(want).Equal(got), "want %s, got %s", want, got)
}

const packageData = `{"id":"PKG-A1B2C3","proxy_type":"residential","total_gb":20,"used_gb":0,"remaining_gb":20,"status":"active",
"evomi_username":"wx3f8a2c01","evomi_password":"wxp1a2b3c4d5e6f7a8","cost":30.00,"price_per_gb":1.50,"user_balance_after":20.00,
"created_at":"2025-01-01T12:00:00.000Z","expires_at":null}`

// operation is a call of the API with its request and response.
type operation struct {
	op       whozex.Operation
	method   string
	uri      string
	body     string // as sent, empty for none
	data     string
	mutating bool
	call     func(context.Context, *whozex.Client, ...whozex.CallOption) (any, error)
	check    func(*testing.T, any)
}

var operations = []operation{
	{
		op: whozex.OpGetAccount, method: "GET", uri: "/v1/account",
		data: `{"id":"r1","name":"Reseller Name","email":"you@example.com","balance":150.00,"is_vip":true,
			"api_key":{"last_used_at":"2025-01-01T10:00:00Z"},"stats":{"packages":24,"sub_users":8,"total_spent":340.00},
			"pricing":{"custom_price_per_gb":0.90},"not_known":[1]}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetAccount(ctx, o...)
		},
		check: func(t *testing.T, v any) {
			a := v.(*whozex.Account)
			assertMoney(t, "150.00", a.Balance)
			assertMoney(t, "340.00", a.Stats.TotalSpent)
			assertMoney(t, "0.90", a.Pricing.CustomPricePerGB.Decimal)
			assert.True(t, a.IsVIP && a.Pricing.CustomPricePerGB.Valid)
			assert.Equal(t, 24, a.Stats.Packages)
			assert.Equal(t, 8, a.Stats.SubUsers)
			assert.Equal(t, time.Date(2025, 1, 1, 10, 0, 0, 0, time.UTC), a.APIKey.LastUsedAt)
		},
	},
	{
		op: whozex.OpGetAccountStats, method: "GET", uri: "/v1/account/stats",
		data: `{"spending":{"purchase":"12.50","add_gb":1},"gb_by_type":{"residential":20.5},"chart":[{"date":"2025-01-01","spent":3.00,"gb":2}]}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetAccountStats(ctx, o...)
		},
		check: func(t *testing.T, v any) {
			s := v.(*whozex.AccountStats)
			assertMoney(t, "12.50", s.Spending["purchase"])
			assertMoney(t, "20.5", s.GBByProxyType["residential"])
			require.Len(t, s.Chart, 1)
			assert.Equal(t, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), s.Chart[0].Date)
			assertMoney(t, "3", s.Chart[0].Values["spent"])
			assert.Contains(t, string(s.RawJSON()), `"12.50"`)
		},
	},
	{
		op: whozex.OpListTransactions, method: "GET", uri: "/v1/account/transactions?limit=100&page=2&type=add_gb",
		data: `{"transactions":[{"id":7,"type":"add_gb","amount":"-9.00","balance_after":141.00,"description":"n1","created_at":"2025-01-01T12:00:00Z"},{}],
			"pagination":{"total":47,"page":2,"limit":100,"pages":3,"has_next":true,"has_prev":true}}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.ListTransactions(ctx, whozex.ListTransactionsParams{Page: 2, Limit: 100, Type: whozex.TransactionAddGB}, o...)
		},
		check: func(t *testing.T, v any) {
			p := v.(*whozex.Page[whozex.Transaction])
			assert.Equal(t, whozex.Pagination{Total: 47, Page: 2, Limit: 100, Pages: 3, HasNext: true, HasPrev: true}, p.Pagination)
			require.Len(t, p.Items, 2)
			assert.Equal(t, "7", p.Items[0].ID)
			assert.Equal(t, "n1", p.Items[0].Note)
			assertMoney(t, "-9", p.Items[0].Amount.Decimal)
			assert.False(t, p.Items[1].Amount.Valid, "an amount that is not there is not zero")
		},
	},
	{
		op: whozex.OpRegenerateKey, method: "POST", uri: "/v1/account/regenerate-key", mutating: true,
		data: `{"credential":{"value":"wx_live_second"}}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.RegenerateKey(ctx, o...)
		},
		check: func(t *testing.T, v any) {
			k := v.(*whozex.RegeneratedKey)
			assert.Equal(t, "wx_live_second", string(k.APIKey))
			assert.JSONEq(t, `{"credential":{"value":"wx_live_second"}}`, string(k.RawJSON()))
		},
	},
	{
		op: whozex.OpListUsers, method: "GET", uri: "/v1/users?limit=20&search=a%26b",
		data: `{"people":[{"id":"u1","name":"John Doe","email":"john@example.com","balance":"0.10","package_count":1,"created_at":"2025-01-01T12:00:00.123Z"}],
			"pagination":{"total":1,"page":1,"limit":20,"pages":1,"has_next":false,"has_prev":false}}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.ListUsers(ctx, whozex.ListUsersParams{Limit: 20, Search: "a&b"}, o...)
		},
		check: func(t *testing.T, v any) {
			p := v.(*whozex.Page[whozex.User])
			require.Len(t, p.Items, 1)
			assertMoney(t, "0.10", p.Items[0].Balance)
			assert.Equal(t, 1, p.Pagination.Total)
		},
	},
	{
		op: whozex.OpCreateUser, method: "POST", uri: "/v1/users", mutating: true,
		body: `{"email":"john@example.com","name":"John Doe"}`,
		data: `{"id":"uuid...","name":"John Doe","email":"john@example.com","balance":0.00,"package_count":0,"created_at":"..."}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.CreateUser(ctx, whozex.CreateUserParams{Name: "John Doe", Email: "john@example.com"}, o...)
		},
		check: func(t *testing.T, v any) {
			u := v.(*whozex.User)
			assert.Equal(t, "uuid...", u.ID)
			assert.True(t, u.CreatedAt.IsZero(), "an elided time reads as zero")
		},
	},
	{
		op: whozex.OpAddBalance, method: "POST", uri: "/v1/users/USER_ID/balance", mutating: true,
		body: `{"action":"add","amount":50.00,"note":"TRX <payment> received"}`,
		data: `{"user_id":"USER_ID","action":"add","amount":50.00,"user_balance":50.00,"reseller_balance":100.00}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.AddBalance(ctx, "USER_ID", dec("50.00"), "TRX <payment> received", o...)
		},
		check: func(t *testing.T, v any) {
			b := v.(*whozex.BalanceChange)
			assertMoney(t, "50", b.UserBalance)
			assertMoney(t, "100", b.ResellerBalance)
		},
	},
	{
		op: whozex.OpDeductBalance, method: "POST", uri: "/v1/users/a%2Fb%20%3F/balance", mutating: true,
		body: `{"action":"deduct","amount":123456789012345678.90}`,
		data: `{"user_id":"a/b ?","action":"deduct","amount":123456789012345678.90,"user_balance":0.10,"reseller_balance":0.30}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.DeductBalance(ctx, "a/b ?", dec("123456789012345678.90"), "", o...)
		},
		check: func(t *testing.T, v any) {
			assert.Equal(t, "123456789012345678.9", v.(*whozex.BalanceChange).Amount.String())
		},
	},
	{
		op: whozex.OpPurchasePackage, method: "POST", uri: "/v1/users/USER_ID/packages", mutating: true,
		body: `{"gb":20,"proxy_type":"residential"}`, data: packageData,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.PurchasePackage(ctx, "USER_ID", whozex.PurchasePackageParams{GB: 20, ProxyType: whozex.ProxyResidential}, o...)
		},
		check: checkPackage,
	},
	{
		op: whozex.OpGetPackage, method: "GET", uri: "/v1/packages/PKG-A1B2C3", data: packageData,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetPackage(ctx, "PKG-A1B2C3", o...)
		},
		check: checkPackage,
	},
	{
		op: whozex.OpAddGB, method: "POST", uri: "/v1/packages/PKG-A1B2C3/add-gb", mutating: true,
		body: `{"gb":10}`, data: packageData,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.AddGB(ctx, "PKG-A1B2C3", whozex.AddGBParams{GB: 10}, o...)
		},
		check: checkPackage,
	},
	{
		op: whozex.OpGetCredentials, method: "GET", uri: "/v1/packages/PKG-A1B2C3/credentials?city=Istanbul&country=TR",
		data: `{"username":"wx3f8a2c01","password":"wxp1a2b3",
			"http":{"host":"rp.evomi.com","port":1000,"connection_string":"rp.evomi.com:1000:wx3f8a2c01:p/#%@:q_country-TR","curl_example":"curl …"},
			"socks5":{"host":"rp.evomi.com","port":1002,"connection_string":"rp.evomi.com:1002:wx3f8a2c01:wxp1a2b3_country-TR"},
			"targeting":{"country":"TR","city":null}}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetCredentials(ctx, "PKG-A1B2C3", whozex.Targeting{Country: "tr", City: "Istanbul"}, o...)
		},
		check: func(t *testing.T, v any) {
			c := v.(*whozex.Credentials)
			assert.Equal(t, whozex.Targeting{Country: "TR"}, c.Targeting)
			address, err := c.HTTPProxyURL()
			require.NoError(t, err)
			password, _ := address.User.Password()
			assert.Equal(t, "p/#%@:q_country-TR", password)
			assert.Equal(t, "rp.evomi.com:1000", address.Host)
			address, err = c.SOCKS5ProxyURL()
			require.NoError(t, err)
			assert.Equal(t, "socks5://wx3f8a2c01:wxp1a2b3_country-TR@rp.evomi.com:1002", address.String())
		},
	},
	{
		op: whozex.OpGetUsage, method: "GET", uri: "/v1/packages/PKG-A1B2C3/usage?duration=30d&granularity=hour",
		data: `{"usage":[{"date":"2025-01-01T00:00:00Z","gb":1.25}],"total_gb":1.25}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetUsage(ctx, "PKG-A1B2C3", whozex.UsageParams{Duration: "30d", Granularity: whozex.GranularityHour}, o...)
		},
		check: func(t *testing.T, v any) {
			u := v.(*whozex.Usage)
			require.Len(t, u.Chart, 1)
			assertMoney(t, "1.25", u.Chart[0].Values["gb"])
			assertMoney(t, "1.25", u.Totals["total_gb"])
		},
	},
	{
		op: whozex.OpGetPricing, method: "GET", uri: "/v1/pricing",
		data: `{"is_vip":true,"custom_price_per_gb":null,"plans":[
			{"gb":10,"label":"10 GB","standard_price":2.00,"vip_price":1.60,"your_price":0.90,"total_cost":9.00},
			{"gb":100,"label":"100 GB","standard_price":1.00,"vip_price":0.80,"your_price":0.90,"total_cost":90.00}]}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetPricing(ctx, o...)
		},
		check: func(t *testing.T, v any) {
			p := v.(*whozex.Pricing)
			assert.False(t, p.CustomPricePerGB.Valid)
			require.Len(t, p.Plans, 2)
			assertMoney(t, "1.60", p.Plans[0].VIPPrice)
			assertMoney(t, "90", p.Plans[1].TotalCost)
		},
	},
	{
		op: whozex.OpCalculatePrice, method: "GET", uri: "/v1/pricing/calculate?gb=50",
		data: `{"gb":50,"price_per_gb":0.90,"total":45.00,"is_vip":true,"custom_price":true}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.CalculatePrice(ctx, 50, o...)
		},
		check: func(t *testing.T, v any) {
			q := v.(*whozex.Quote)
			assertMoney(t, "45", q.Total)
			assert.True(t, q.CustomPrice)
		},
	},
	{
		op: whozex.OpGetAnalyticsOverview, method: "GET", uri: "/v1/analytics/overview",
		data: `{"balances":{"total":70.5},"packages":{"active":3},"spending":{"month":12},"chart":[{"day":"2025-01-01","v":1}]}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.GetAnalyticsOverview(ctx, o...)
		},
		check: func(t *testing.T, v any) {
			a := v.(*whozex.AnalyticsOverview)
			assertMoney(t, "70.5", a.Balances["total"])
			assertMoney(t, "3", a.Packages["active"])
			assertMoney(t, "12", a.Spending["month"])
			assert.Len(t, a.Chart, 1)
		},
	},
	{
		op: whozex.OpCreateWebhook, method: "POST", uri: "/v1/webhooks", mutating: true,
		body: `{"url":"https://bot.example.com/webhook","events":["package.low_gb","balance.added","user.created"]}`,
		data: `{"id":"WH-A1B2C3D4","url":"https://bot.example.com/webhook","events":["package.low_gb","balance.added"],"secret":"wxsec_a1b2c3","note":"Save the secret"}`,
		call: func(ctx context.Context, c *whozex.Client, o ...whozex.CallOption) (any, error) {
			return c.CreateWebhook(ctx, whozex.CreateWebhookParams{
				URL:    "https://bot.example.com/webhook",
				Events: []string{whozex.EventPackageLowGB, whozex.EventBalanceAdded, whozex.EventUserCreated},
			}, o...)
		},
		check: func(t *testing.T, v any) {
			w := v.(*whozex.Webhook)
			assert.Equal(t, "wxsec_a1b2c3", string(w.Secret))
			assert.Len(t, w.Events, 2)
		},
	},
}

func checkPackage(t *testing.T, v any) {
	p := v.(*whozex.Package)
	assert.Equal(t, "PKG-A1B2C3", p.ID)
	assertMoney(t, "30", p.Cost)
	assertMoney(t, "1.5", p.PricePerGB)
	assertMoney(t, "20", p.UserBalanceAfter)
	assert.Equal(t, "wxp1a2b3c4d5e6f7a8", string(p.EvomiPassword))
	assert.True(t, p.ExpiresAt.IsZero())
}

func TestOperations(t *testing.T) {
	for _, tt := range operations {
		t.Run(string(tt.op), func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				sent, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.Equal(t, tt.method, r.Method)
				assert.Equal(t, tt.uri, r.RequestURI)
				assert.Equal(t, tt.body, string(sent))
				assert.Equal(t, []string{"Bearer " + testKey}, r.Header["Authorization"])
				assert.Equal(t, "application/json", r.Header.Get("Accept"))
				assert.Equal(t, "whozex-go/"+whozex.Version, r.Header.Get("User-Agent"))
				assert.Empty(t, r.Header["Idempotency-Key"])
				if tt.body != "" {
					assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				}
				respond(w, 200, ok(tt.data))
			})
			var resp whozex.Response
			got, err := tt.call(t.Context(), client, whozex.CaptureResponse(&resp))
			require.NoError(t, err)
			tt.check(t, got)
			assert.Equal(t, 200, resp.StatusCode)
			assert.Equal(t, 1, resp.Attempts)
			assert.Equal(t, "1.0.0", resp.Meta.Version)
			assert.Equal(t, ok(tt.data), string(resp.Body))
			assert.True(t, json.Valid(resp.Body))
		})
	}
}

func TestWithAPIKeyHeader(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, testKey, r.Header.Get("X-API-Key"))
		assert.Empty(t, r.Header.Get("Authorization"))
		respond(w, 200, ok(everything))
	}, whozex.WithAPIKeyHeader())
	_, err := client.GetAccount(t.Context())
	require.NoError(t, err)
}
