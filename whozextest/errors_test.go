package whozextest

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestErrors(t *testing.T) {
	s := start(t)
	user := addUser(t, s, "a@example.com", "5")
	rich := addUser(t, s, "rich@example.com", "100")
	id := buy(t, s, rich, `{"gb":10}`)
	before := s.Totals()
	long := strings.Repeat("x", maxBody+1)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{method: "GET", path: "/nothing", status: 404, code: "NOT_FOUND"},
		{method: "GET", path: "/account/", status: 404, code: "NOT_FOUND"},
		{method: "GET", path: "/users/" + user, status: 404, code: "NOT_FOUND"},
		{method: "POST", path: "/users//balance", body: "{}", status: 404, code: "NOT_FOUND"},
		{method: "POST", path: "/users/nobody/balance", body: "{}", status: 404, code: "NOT_FOUND"},
		{method: "POST", path: "/users/%2e%2e%2faccount%2fregenerate-key/balance", body: "{}", status: 404, code: "NOT_FOUND"},
		{method: "POST", path: "/users/nobody/packages", body: `{"gb":1}`, status: 404, code: "NOT_FOUND"},
		{method: "GET", path: "/packages/PKG-NONE", status: 404, code: "NOT_FOUND"},
		{method: "POST", path: "/packages/PKG-NONE/add-gb", body: `{"gb":1}`, status: 404, code: "NOT_FOUND"},
		{method: "GET", path: "/packages/PKG-NONE/credentials", status: 404, code: "NOT_FOUND"},
		{method: "GET", path: "/packages/PKG-NONE/usage", status: 404, code: "NOT_FOUND"},
		{method: "DELETE", path: "/users", status: 405},
		{method: "POST", path: "/account", status: 405},
		{method: "GET", path: "/webhooks", status: 405},
		{method: "POST", path: "/users", status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/users", body: `{"email":" "}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/users", body: `{"email":null}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/users", body: `{"email":7}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users", body: `{"email":"no address"}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users", body: `{"email":"b@example.com","name":{}}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users", body: `{"email":"A@Example.com"}`, status: 409, code: "EMAIL_TAKEN"},
		{method: "POST", path: "/users", body: `[1]`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users", body: `null`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users", body: `{"email":`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users", body: long, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"amount":1}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add"}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"give","amount":1}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add","amount":0}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add","amount":-1}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add","amount":"1"}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add","amount":1e999999999}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add","amount":1e-9}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"add","amount":200}`, status: 402, code: "INSUFFICIENT_BALANCE"},
		{method: "POST", path: "/users/" + user + "/balance", body: `{"action":"deduct","amount":5.01}`, status: 402, code: "INSUFFICIENT_BALANCE"},
		{method: "POST", path: "/users/" + user + "/packages", body: `{}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/users/" + user + "/packages", body: `{"gb":0}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/packages", body: `{"gb":1.5}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/packages", body: `{"gb":"1"}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/packages", body: `{"gb":1,"proxy_type":"isp"}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/users/" + user + "/packages", body: `{"gb":1,"proxy_type":""}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/packages/" + id + "/add-gb", body: `{}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/packages/" + id + "/add-gb", body: `{"gb":1000}`, status: 402, code: "INSUFFICIENT_BALANCE"},
		{method: "GET", path: "/users?limit=101", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/users?limit=0", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/users?page=x", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/account/transactions?type=gift", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/account/transactions?page=0", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/pricing/calculate", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/pricing/calculate?gb=0", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/packages/" + id + "/credentials?country=TUR", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/packages/" + id + "/credentials?city=a%22b", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/packages/" + id + "/usage?granularity=week", status: 400, code: "INVALID_PARAMS"},
		{method: "GET", path: "/packages/" + id + "/usage?duration=soon", status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/webhooks", body: `{"events":["user.created"]}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/webhooks", body: `{"url":"https://example.com"}`, status: 400, code: "MISSING_FIELD"},
		{method: "POST", path: "/webhooks", body: `{"url":"https://example.com","events":[]}`, status: 400, code: "INVALID_PARAMS"},
		{method: "POST", path: "/webhooks", body: `{"url":"http://example.com","events":["user.created"]}`, status: 400, code: "INVALID_PARAMS"},
	} {
		r := do(t, s, c.method, c.path, c.body)
		name := c.method + " " + c.path + " " + c.body[:min(len(c.body), 80)]
		assert.Equal(t, c.status, r.status, name)
		assert.Equal(t, c.code, r.Error.Code, name)
		assert.False(t, r.Success, name)
		assert.NotEmpty(t, r.Error.Message, name)
		assert.NotEmpty(t, r.Meta.Timestamp, name)
		if c.status == 405 {
			assert.NotEmpty(t, r.header.Get("Allow"), name)
		}
	}
	assert.Equal(t, before, s.Totals())
	assertConserved(t, s)
}

func TestInsufficientMessage(t *testing.T) {
	s := start(t, WithCustomPrice(usd("1")))
	user := addUser(t, s, "a@example.com", "5")
	r := do(t, s, "POST", "/users/"+user+"/packages", `{"gb":20}`)
	assert.Equal(t, http.StatusPaymentRequired, r.status)
	assert.Equal(t, "User balance ($5.00) is insufficient. Cost: $20.00", r.Error.Message)
}

func TestAuthentication(t *testing.T) {
	s := start(t)
	code := func(path string, headers ...string) string {
		req := request(t, s, "GET", path, "")
		req.Header.Del("Authorization")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		r, err := send(req)
		require.NoError(t, err)
		return strconv.Itoa(r.status) + r.Error.Code
	}
	assert.Equal(t, "401MISSING_API_KEY", code("/account"))
	assert.Equal(t, "401MISSING_API_KEY", code("/nothing"))
	assert.Equal(t, "401MISSING_API_KEY", code("/account", "Authorization", "Basic abc"))
	assert.Equal(t, "401INVALID_API_KEY", code("/account", "X-API-Key", "wx_live_no"))
	assert.Equal(t, "401INVALID_API_KEY", code("/account", "Authorization", "Bearer no", "X-API-Key", s.APIKey))
	assert.Equal(t, "200", code("/account", "X-API-Key", s.APIKey))
	assert.Equal(t, "200", code("/account", "Authorization", "bearer "+s.APIKey))
	s.SetAPIDisabled(true)
	assert.Equal(t, "403API_DISABLED", code("/account", "X-API-Key", s.APIKey))
	assert.Equal(t, "401INVALID_API_KEY", code("/account", "X-API-Key", "wx_live_no"))
	s.SetAPIDisabled(false)
	assert.Equal(t, "200", code("/account", "X-API-Key", s.APIKey))
}

func TestRateLimit(t *testing.T) {
	s := start(t, WithRateLimit(0.5, 2))
	assert.Equal(t, 200, do(t, s, "GET", "/account", "").status)
	assert.Equal(t, 200, do(t, s, "GET", "/account", "").status)
	r := do(t, s, "GET", "/account", "")
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, seconds, 1)
	assert.LessOrEqual(t, seconds, 2)
}

func TestStart_InvalidOptions(t *testing.T) {
	taken := start(t)
	for name, option := range map[string]Option{
		"0.0.0.0:0":          WithAddr("0.0.0.0:0"),
		"example.com:1":      WithAddr("example.com:1"),
		`"localhost"`:        WithAddr("localhost"),
		"in use":             WithAddr(taken.http.Addr),
		"balance":            WithBalance(usd("-1")),
		"custom price":       WithCustomPrice(usd("-1")),
		"users":              WithUsers(-1),
		"latency":            WithLatency(-1),
		"rate limit":         WithRateLimit(0, 1),
		"rate-limit headers": WithRateLimitHeaders("none"),
		"need a rate limit":  WithRateLimitHeaders(RateLimitHeadersIETF),
		"clock":              WithClock(nil),
		"API key":            WithAPIKey(""),
		"API key, two words": WithAPIKey("two words"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(option)
			require.ErrorContains(t, err, strings.TrimSuffix(name, ", two words"))
			assert.PanicsWithError(t, err.Error(), func() { NewServer(option) })
		})
	}
}

func TestRemoveUser(t *testing.T) {
	s := start(t)
	user := addUser(t, s, "a@example.com", "50")
	id := buy(t, s, user, `{"gb":1}`)
	require.NoError(t, s.RemoveUser(user))
	assert.ErrorIs(t, s.RemoveUser(user), ErrUnknown)
	assert.Equal(t, 404, do(t, s, "GET", "/packages/"+id, "").status)
	_, found := s.UserBalance(user)
	assert.False(t, found)
	assertConserved(t, s)
	ok(t, s, "POST", "/users", `{"email":"a@example.com"}`)
}
