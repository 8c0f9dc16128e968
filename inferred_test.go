package whozex_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// mocked returns a client whose server responds to each path with 200 and its data.
func mocked(t *testing.T, data map[string]string) *whozex.Client {
	t.Helper()
	mock := httpmock.NewMockTransport()
	for path, data := range data {
		mock.RegisterResponder("GET", "https://api.whozex.com/v1"+path, httpmock.NewStringResponder(200, ok(data)))
		mock.RegisterResponder("POST", "https://api.whozex.com/v1"+path, httpmock.NewStringResponder(200, ok(data)))
	}
	client, err := whozex.New(testKey, whozex.WithHTTPClient(&http.Client{Transport: mock}))
	require.NoError(t, err)
	return client
}

func TestInferred_UnknownNames(t *testing.T) {
	for _, data := range []string{`{"a":1,"b":[true]}`, `{}`, `[1,2]`, `"text"`, `7`} {
		t.Run(data, func(t *testing.T) {
			client := mocked(t, map[string]string{
				"/account/stats": data, "/analytics/overview": data, "/packages/p/usage": data,
			})
			stats, err := client.GetAccountStats(t.Context())
			require.NoError(t, err)
			assert.Empty(t, stats.Spending)
			assert.Empty(t, stats.GBByProxyType)
			assert.Empty(t, stats.Chart)
			assert.Equal(t, data, string(stats.RawJSON()))
			overview, err := client.GetAnalyticsOverview(t.Context())
			require.NoError(t, err)
			assert.Empty(t, overview.Balances)
			assert.Empty(t, overview.Packages)
			assert.Empty(t, overview.Spending)
			assert.Empty(t, overview.Chart)
			assert.Equal(t, data, string(overview.RawJSON()))
			usage, err := client.GetUsage(t.Context(), "p", whozex.UsageParams{})
			require.NoError(t, err)
			assert.Empty(t, usage.Chart)
			assert.Equal(t, data, string(usage.RawJSON()))
		})
	}
}

func TestInferred_OtherNames(t *testing.T) {
	client := mocked(t, map[string]string{
		"/account/stats":      `{"total_spent":"340.00","bandwidth_by_proxy":{"mobile":"1.5"},"last_30_days":[{"day":"2025-01-02","amount":"3.10"}]}`,
		"/analytics/overview": `{"total_balance":12.5,"package_counts":{"active":3,"expired":1},"revenue":7,"daily":[{"date":"2025-01-02T00:00:00Z","n":2}]}`,
		"/packages/p/usage":   `[{"timestamp":"2025-01-02 10:00:00","bytes":123456789012}]`,
	})
	stats, err := client.GetAccountStats(t.Context())
	require.NoError(t, err)
	assertMoney(t, "340", stats.Spending["total_spent"])
	assertMoney(t, "1.5", stats.GBByProxyType["mobile"])
	require.Len(t, stats.Chart, 1)
	assertMoney(t, "3.1", stats.Chart[0].Values["amount"])
	overview, err := client.GetAnalyticsOverview(t.Context())
	require.NoError(t, err)
	assertMoney(t, "12.5", overview.Balances["total_balance"])
	assertMoney(t, "3", overview.Packages["active"])
	assertMoney(t, "7", overview.Spending["revenue"])
	assert.Len(t, overview.Chart, 1)
	usage, err := client.GetUsage(t.Context(), "p", whozex.UsageParams{})
	require.NoError(t, err)
	require.Len(t, usage.Chart, 1)
	assertMoney(t, "123456789012", usage.Chart[0].Values["bytes"])
}

func TestInferred_NewKey(t *testing.T) {
	for _, data := range []string{
		`{"api_key":"wx_live_new"}`, `{"key":"wx_live_new"}`, `{"new_key":"wx_live_new"}`, `{"new_api_key":"wx_live_new"}`,
		`{"anything":"wx_live_new"}`, `{"a":[{"b":"wx_live_new"}]}`, `"wx_live_new"`,
	} {
		t.Run(data, func(t *testing.T) {
			key, err := mocked(t, map[string]string{"/account/regenerate-key": data}).RegenerateKey(t.Context())
			require.NoError(t, err)
			assert.Equal(t, whozex.Secret("wx_live_new"), key.APIKey)
			assert.Equal(t, data, string(key.RawJSON()))
		})
	}
}

func TestInferred_Transactions(t *testing.T) {
	page, err := mocked(t, map[string]string{"/account/transactions": `{"history":[
		{"id":"t1","type":"purchase","amount":"-9.00","balance_after":null,"description":"d","created_at":"yesterday"},
		{"id":{"no":"text"},"amount":"much","note":7}]}`}).ListTransactions(t.Context(), whozex.ListTransactionsParams{})
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	first, second := page.Items[0], page.Items[1]
	assert.Equal(t, "t1", first.ID)
	assert.Equal(t, whozex.TransactionPurchase, first.Type)
	assertMoney(t, "-9", first.Amount.Decimal)
	assert.False(t, first.BalanceAfter.Valid)
	assert.Equal(t, "d", first.Note)
	assert.True(t, first.CreatedAt.IsZero())
	assert.Contains(t, string(first.RawJSON()), "yesterday")
	assert.Empty(t, second.ID)
	assert.False(t, second.Amount.Valid)
	assert.Equal(t, "7", second.Note)
}

func TestRawJSON_IsNeverPrinted(t *testing.T) {
	client := mocked(t, map[string]string{
		"/account/stats": `{"x":"hidden"}`, "/analytics/overview": `{"x":"hidden"}`, "/packages/p/usage": `{"x":"hidden"}`,
		"/account/transactions": `{"transactions":[{"x":"hidden"}]}`, "/account/regenerate-key": `{"key":"wx_hidden"}`,
	})
	stats, err := client.GetAccountStats(t.Context())
	require.NoError(t, err)
	overview, err := client.GetAnalyticsOverview(t.Context())
	require.NoError(t, err)
	usage, err := client.GetUsage(t.Context(), "p", whozex.UsageParams{})
	require.NoError(t, err)
	page, err := client.ListTransactions(t.Context(), whozex.ListTransactionsParams{})
	require.NoError(t, err)
	key, err := client.RegenerateKey(t.Context())
	require.NoError(t, err)
	for _, v := range []any{stats, *stats, overview, *overview, usage, *usage, page, page.Items[0], key, *key} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			assert.NotContains(t, fmt.Sprintf(verb, v), "hidden", "%T with %s", v, verb)
		}
	}
}

func TestPackageCreated_Decode(t *testing.T) {
	var created whozex.PackageCreated
	require.NoError(t, json.Unmarshal([]byte(`{"user_id":"u1","package_id":"PKG-A1B2C3","gb":20,"cost":30.00,"more":null}`), &created))
	assert.Equal(t, "u1", created.UserID)
	assert.Equal(t, "PKG-A1B2C3", created.PackageID)
	assertMoney(t, "20", created.GB)
	assertMoney(t, "30", created.Cost)
	require.NoError(t, json.Unmarshal([]byte(`{"cost":"30.10"}`), &created))
	assert.Equal(t, "30.1", created.Cost.String())
}
