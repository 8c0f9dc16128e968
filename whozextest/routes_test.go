package whozextest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAccount(t *testing.T) {
	s := start(t, WithUsers(8))
	r := ok(t, s, "GET", "/account", "")
	assert.Equal(t, "150.00", r.data("balance"))
	assert.Equal(t, "true", r.data("is_vip"))
	assert.JSONEq(t, `{"last_used_at":null}`, r.data("api_key"))
	assert.Equal(t, `{"packages":0,"sub_users":8,"total_spent":0.00}`, r.data("stats"))
	assert.Equal(t, `{"custom_price_per_gb":0.90}`, r.data("pricing"))
	assert.NotContains(t, ok(t, s, "GET", "/account", "").data("api_key"), "null")
}

func TestDocumentedPurchase(t *testing.T) {
	s := start(t, WithCustomPrice(usd("1.5")))
	id := addUser(t, s, "john@example.com", "50")
	r := ok(t, s, "POST", "/users/"+id+"/packages", `{"proxy_type":"residential","gb":20}`)
	assert.Equal(t, "30.00", r.data("cost"))
	assert.Equal(t, "1.50", r.data("price_per_gb"))
	assert.Equal(t, "20.00", r.data("user_balance_after"))
	assert.Equal(t, "20", r.data("total_gb"))
	assert.Equal(t, "0", r.data("used_gb"))
	assert.Equal(t, "20", r.data("remaining_gb"))
	assert.Equal(t, `"active"`, r.data("status"))
	assert.Regexp(t, `^PKG-[A-Z0-9]{6}$`, r.text(t, "id"))
	assert.Regexp(t, `^wx[0-9a-f]{8}$`, r.text(t, "evomi_username"))
	assert.Regexp(t, `^wxp[0-9a-f]{16}$`, r.text(t, "evomi_password"))
	assertConserved(t, s)
}

func TestDocumentedTopUp(t *testing.T) {
	s := start(t)
	u := ok(t, s, "POST", "/users", `{"name":"John Doe","email":"john@example.com","note":"x"}`)
	assert.Equal(t, "0.00", u.data("balance"))
	assert.Equal(t, "0", u.data("package_count"))
	id := u.text(t, "id")
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
	r := ok(t, s, "POST", "/users/"+id+"/balance", `{"action":"add","amount":50,"note":"TRX payment received"}`)
	assert.Equal(t, "50.00", r.data("amount"))
	assert.Equal(t, "50.00", r.data("user_balance"))
	assert.Equal(t, "100.00", r.data("reseller_balance"))
	r = ok(t, s, "POST", "/users/"+id+"/balance", `{"action":"deduct","amount":12.345}`)
	assert.Equal(t, "37.655", r.data("user_balance"))
	assert.Equal(t, "112.345", r.data("reseller_balance"))
	assert.Equal(t, "john", ok(t, s, "POST", "/users", `{"email":"john@example.org"}`).text(t, "name"))
	assertConserved(t, s)
}

func TestPrices(t *testing.T) {
	s := start(t)
	r := ok(t, s, "GET", "/pricing", "")
	assert.Equal(t, `[{"gb":10,"label":"10 GB","standard_price":2.00,"vip_price":1.60,"your_price":0.90,"total_cost":9.00},`+
		`{"gb":100,"label":"100 GB","standard_price":1.00,"vip_price":0.80,"your_price":0.90,"total_cost":90.00}]`, r.data("plans"))
	r = ok(t, s, "GET", "/pricing/calculate?gb=50", "")
	assert.Equal(t, "45.00", r.data("total"))
	assert.Equal(t, "0.90", r.data("price_per_gb"))
	assert.Equal(t, "true", r.data("custom_price"))
	for _, c := range []struct {
		vip       bool
		gb, price string
	}{{vip: true, gb: "1", price: "1.60"}, {vip: true, gb: "99", price: "1.60"}, {vip: true, gb: "100", price: "0.80"}, {vip: false, gb: "10", price: "2.00"}, {vip: false, gb: "500", price: "1.00"}} {
		s := start(t, WithVIP(c.vip), WithoutCustomPrice())
		r := ok(t, s, "GET", "/pricing/calculate?gb="+c.gb, "")
		assert.Equal(t, c.price, r.data("price_per_gb"))
		assert.Equal(t, "false", r.data("custom_price"))
		assert.Equal(t, "null", ok(t, s, "GET", "/pricing", "").data("custom_price_per_gb"))
	}
}

func TestPackage(t *testing.T) {
	s := start(t)
	id := buy(t, s, addUser(t, s, "a@example.com", "100"), `{"gb":10}`)
	require.NoError(t, s.UseGB(id, usd("2.5")))
	r := ok(t, s, "POST", "/packages/"+id+"/add-gb", `{"gb":10,"note":"more"}`)
	assert.Equal(t, "20", r.data("total_gb"))
	assert.Equal(t, "17.5", r.data("remaining_gb"))
	assert.Equal(t, "9.00", r.data("cost"))
	assert.Equal(t, "82.00", r.data("user_balance_after"))
	r = ok(t, s, "GET", "/packages/"+id, "")
	assert.Equal(t, "true", r.data("live"))
	assert.Equal(t, "2.5", r.data("used_gb"))
	assert.Equal(t, "18.00", r.data("cost"))
	assert.ErrorIs(t, s.UseGB(id, usd("18")), ErrAmount)
	assert.ErrorIs(t, s.UseGB("PKG-NONE", usd("1")), ErrUnknown)

	r = ok(t, s, "GET", "/packages/"+id+"/usage", "")
	assert.Equal(t, 7, strings.Count(r.data("usage"), `"date"`))
	assert.Contains(t, r.data("usage"), `"gb":2.5`)
	assert.Equal(t, 24, strings.Count(ok(t, s, "GET", "/packages/"+id+"/usage?duration=1d&granularity=hour", "").data("usage"), `"date"`))
	assert.Equal(t, 1, strings.Count(ok(t, s, "GET", "/packages/"+id+"/usage?duration=30d&granularity=minute", "").data("usage"), `"date"`))
}

func TestCredentials(t *testing.T) {
	s := start(t)
	id := buy(t, s, addUser(t, s, "a@example.com", "100"), `{"gb":10}`)
	r := ok(t, s, "GET", "/packages/"+id+"/credentials?country=tr&city=New+York", "")
	user, password := r.text(t, "username"), r.text(t, "password")
	suffixed := user + ":" + password + "_country-TR_city-New-York"
	assert.JSONEq(t, fmt.Sprintf(`{"host":"rp.evomi.com","port":1000,"connection_string":"rp.evomi.com:1000:%s",`+
		`"curl_example":"curl -x \"http://%s@rp.evomi.com:1000\" https://ip.whozex.com"}`, suffixed, suffixed), r.data("http"))
	assert.JSONEq(t, `{"host":"rp.evomi.com","port":1002,"connection_string":"rp.evomi.com:1002:`+suffixed+`"}`, r.data("socks5"))
	assert.Equal(t, `{"country":"TR","city":"New York"}`, r.data("targeting"))
	r = ok(t, s, "GET", "/packages/"+id+"/credentials?country=any", "")
	assert.Equal(t, `{"country":"any","city":null}`, r.data("targeting"))
	assert.Contains(t, r.data("http"), "rp.evomi.com:1000:"+user+":"+password+`"`)
}

func TestListUsers(t *testing.T) {
	s := start(t, WithUsers(47))
	r := ok(t, s, "GET", "/users", "")
	assert.Equal(t, `{"total":47,"page":1,"limit":20,"pages":3,"has_next":true,"has_prev":false}`, r.data("pagination"))
	assert.Equal(t, 20, strings.Count(r.data("users"), `"email"`))
	assert.Contains(t, r.data("users"), "user47@")
	r = ok(t, s, "GET", "/users?page=3", "")
	assert.Equal(t, `{"total":47,"page":3,"limit":20,"pages":3,"has_next":false,"has_prev":true}`, r.data("pagination"))
	assert.Equal(t, 7, strings.Count(r.data("users"), `"email"`))
	assert.Equal(t, "[]", ok(t, s, "GET", "/users?page=2147483647&limit=100", "").data("users"))
	assert.Equal(t, 1, strings.Count(ok(t, s, "GET", "/users?search=USER7@EX", "").data("users"), `"email"`))
	assert.Equal(t, "[]", ok(t, s, "GET", "/users?search=nobody", "").data("users"))
}

func TestTransactions(t *testing.T) {
	s := start(t)
	user := addUser(t, s, "a@example.com", "0")
	ok(t, s, "POST", "/users/"+user+"/balance", `{"action":"add","amount":50,"note":"in"}`)
	ok(t, s, "POST", "/users/"+user+"/balance", `{"action":"deduct","amount":10}`)
	id := buy(t, s, user, `{"gb":10,"proxy_type":"mobile"}`)
	ok(t, s, "POST", "/packages/"+id+"/add-gb", `{"gb":10,"note":"more"}`)
	all := ok(t, s, "GET", "/account/transactions", "").data("transactions")
	var at []int
	for _, item := range []string{
		`"type":"add_gb","amount":-9.00,"balance_after":22.00,"note":"more"`,
		`"type":"purchase","amount":-9.00,"balance_after":31.00,"note":null`,
		`"type":"deposit","amount":-10.00,"balance_after":40.00,"note":null`,
		`"type":"deposit","amount":50.00,"balance_after":50.00,"note":"in"`,
	} {
		require.Contains(t, all, item)
		at = append(at, strings.Index(all, item))
	}
	assert.IsIncreasing(t, at)
	for kind, n := range map[string]int{"deposit": 2, "purchase": 1, "add_gb": 1} {
		r := ok(t, s, "GET", "/account/transactions?type="+kind, "")
		assert.Equal(t, n, strings.Count(r.data("transactions"), `"id"`))
	}

	stats := ok(t, s, "GET", "/account/stats", "")
	assert.Equal(t, `{"purchases":9.00,"add_gb":9.00,"total":18.00}`, stats.data("spending"))
	assert.Equal(t, `{"datacenter":0,"mobile":20,"residential":0}`, stats.data("gb_by_proxy_type"))
	assert.Equal(t, 30, strings.Count(stats.data("chart"), `"date"`))
	overview := ok(t, s, "GET", "/analytics/overview", "")
	assert.Equal(t, `{"reseller":110.00,"users":22.00}`, overview.data("balances"))
	assert.Equal(t, `{"total":1,"active":1}`, overview.data("packages"))
	assert.Contains(t, overview.data("chart"), `"spent":18.00,"gb":20,"packages":1`)
}

func TestRegenerateKey(t *testing.T) {
	s := start(t, WithAPIKey("wx_live_first"))
	assert.Equal(t, "wx_live_first", s.APIKey)
	old := request(t, s, "GET", "/account", "")
	key := ok(t, s, "POST", "/account/regenerate-key", "").text(t, "api_key")
	assert.Regexp(t, `^wx_live_[0-9a-f]{32}$`, key)
	assert.Equal(t, key, s.CurrentKey())
	r, err := send(old)
	require.NoError(t, err)
	assert.Equal(t, "INVALID_API_KEY", r.Error.Code)
	assert.JSONEq(t, `{"last_used_at":null}`, ok(t, s, "GET", "/account", "").data("api_key"))
}

func TestClock(t *testing.T) {
	at := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, WithClock(func() time.Time { return at }))
	r := ok(t, s, "GET", "/account", "")
	assert.Equal(t, "2025-01-01T12:00:00.000Z", r.Meta.Timestamp)
}

func TestClient(t *testing.T) {
	s := start(t)
	account, err := s.Client().GetAccount(t.Context())
	require.NoError(t, err)
	assert.True(t, account.Balance.Equal(usd("150")))
}
