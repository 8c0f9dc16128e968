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
		{"GET", "/nothing", "", 404, "NOT_FOUND"},
		{"GET", "/account/", "", 404, "NOT_FOUND"},
		{"GET", "/users/" + user, "", 404, "NOT_FOUND"},
		{"POST", "/users//balance", "{}", 404, "NOT_FOUND"},
		{"POST", "/users/nobody/balance", "{}", 404, "NOT_FOUND"},
		{"POST", "/users/%2e%2e%2faccount%2fregenerate-key/balance", "{}", 404, "NOT_FOUND"},
		{"POST", "/users/nobody/packages", `{"gb":1}`, 404, "NOT_FOUND"},
		{"GET", "/packages/PKG-NONE", "", 404, "NOT_FOUND"},
		{"POST", "/packages/PKG-NONE/add-gb", `{"gb":1}`, 404, "NOT_FOUND"},
		{"GET", "/packages/PKG-NONE/credentials", "", 404, "NOT_FOUND"},
		{"GET", "/packages/PKG-NONE/usage", "", 404, "NOT_FOUND"},
		{"DELETE", "/users", "", 405, ""},
		{"POST", "/account", "", 405, ""},
		{"GET", "/webhooks", "", 405, ""},
		{"POST", "/users", "", 400, "MISSING_FIELD"},
		{"POST", "/users", `{"email":" "}`, 400, "MISSING_FIELD"},
		{"POST", "/users", `{"email":null}`, 400, "MISSING_FIELD"},
		{"POST", "/users", `{"email":7}`, 400, "INVALID_PARAMS"},
		{"POST", "/users", `{"email":"no address"}`, 400, "INVALID_PARAMS"},
		{"POST", "/users", `{"email":"b@example.com","name":{}}`, 400, "INVALID_PARAMS"},
		{"POST", "/users", `{"email":"A@Example.com"}`, 409, "EMAIL_TAKEN"},
		{"POST", "/users", `[1]`, 400, "INVALID_PARAMS"},
		{"POST", "/users", `null`, 400, "INVALID_PARAMS"},
		{"POST", "/users", `{"email":`, 400, "INVALID_PARAMS"},
		{"POST", "/users", long, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"amount":1}`, 400, "MISSING_FIELD"},
		{"POST", "/users/" + user + "/balance", `{"action":"add"}`, 400, "MISSING_FIELD"},
		{"POST", "/users/" + user + "/balance", `{"action":"give","amount":1}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"action":"add","amount":0}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"action":"add","amount":-1}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"action":"add","amount":"1"}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"action":"add","amount":1e999999999}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"action":"add","amount":1e-9}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/balance", `{"action":"add","amount":200}`, 402, "INSUFFICIENT_BALANCE"},
		{"POST", "/users/" + user + "/balance", `{"action":"deduct","amount":5.01}`, 402, "INSUFFICIENT_BALANCE"},
		{"POST", "/users/" + user + "/packages", `{}`, 400, "MISSING_FIELD"},
		{"POST", "/users/" + user + "/packages", `{"gb":0}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/packages", `{"gb":1.5}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/packages", `{"gb":"1"}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/packages", `{"gb":1,"proxy_type":"isp"}`, 400, "INVALID_PARAMS"},
		{"POST", "/users/" + user + "/packages", `{"gb":1,"proxy_type":""}`, 400, "INVALID_PARAMS"},
		{"POST", "/packages/" + id + "/add-gb", `{}`, 400, "MISSING_FIELD"},
		{"POST", "/packages/" + id + "/add-gb", `{"gb":1000}`, 402, "INSUFFICIENT_BALANCE"},
		{"GET", "/users?limit=101", "", 400, "INVALID_PARAMS"},
		{"GET", "/users?limit=0", "", 400, "INVALID_PARAMS"},
		{"GET", "/users?page=x", "", 400, "INVALID_PARAMS"},
		{"GET", "/account/transactions?type=gift", "", 400, "INVALID_PARAMS"},
		{"GET", "/account/transactions?page=0", "", 400, "INVALID_PARAMS"},
		{"GET", "/pricing/calculate", "", 400, "INVALID_PARAMS"},
		{"GET", "/pricing/calculate?gb=0", "", 400, "INVALID_PARAMS"},
		{"GET", "/packages/" + id + "/credentials?country=TUR", "", 400, "INVALID_PARAMS"},
		{"GET", "/packages/" + id + "/credentials?city=a%22b", "", 400, "INVALID_PARAMS"},
		{"GET", "/packages/" + id + "/usage?granularity=week", "", 400, "INVALID_PARAMS"},
		{"GET", "/packages/" + id + "/usage?duration=soon", "", 400, "INVALID_PARAMS"},
		{"POST", "/webhooks", `{"events":["user.created"]}`, 400, "MISSING_FIELD"},
		{"POST", "/webhooks", `{"url":"https://example.com"}`, 400, "MISSING_FIELD"},
		{"POST", "/webhooks", `{"url":"https://example.com","events":[]}`, 400, "INVALID_PARAMS"},
		{"POST", "/webhooks", `{"url":"http://example.com","events":["user.created"]}`, 400, "INVALID_PARAMS"},
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

func TestStartRefusesWhatMakesNoSense(t *testing.T) {
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
