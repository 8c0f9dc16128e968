package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// launch starts the dashboard without a key on a free port.
func launch(t *testing.T) (*dashboard, string) {
	t.Helper()
	t.Setenv("WHOZEX_API_KEY", "")
	return launchAs(t, config{})
}

// launchLive starts it with a key, on a separate sandbox as the live API.
func launchLive(t *testing.T, cfg config) (*dashboard, string, *whozextest.Server) {
	t.Helper()
	return launchOn(t, cfg, whozextest.WithUsers(3))
}

// launchAs starts it with cfg and the current environment.
func launchAs(t *testing.T, cfg config) (*dashboard, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d, err := start(t.Context(), cfg, listener)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.close()) })
	return d, "http://" + listener.Addr().String()
}

// visitor is a browser without scripts that does not follow redirects.
type visitor struct {
	t      *testing.T
	home   string
	client *http.Client
}

func newVisitor(t *testing.T, home string) visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	return visitor{t, home, client}
}

// send makes a request, modified by change. It may run on any goroutine.
func (v visitor) send(ctx context.Context, method, path string, form url.Values, change ...func(*http.Request)) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, v.home+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", v.home)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, c := range change {
		c(req)
	}
	res, err := v.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	return res, string(body), err
}

func (v visitor) get(path string) (int, string) {
	v.t.Helper()
	res, body, err := v.send(v.t.Context(), http.MethodGet, path, nil)
	require.NoError(v.t, err)
	return res.StatusCode, words(body)
}

// words removes the bdi elements around untrusted text.
func words(body string) string { return strings.NewReplacer("<bdi>", "", "</bdi>", "").Replace(body) }

func (v visitor) post(path string, form url.Values, change ...func(*http.Request)) (int, string) {
	v.t.Helper()
	res, body, err := v.send(v.t.Context(), http.MethodPost, path, form, change...)
	require.NoError(v.t, err)
	if to := res.Header.Get("Location"); to != "" {
		return res.StatusCode, to
	}
	return res.StatusCode, words(body)
}

var tokens = regexp.MustCompile(`name="token" value="([A-Z0-9]+)"`)

// quote requests a quote and returns the path of its page, the form and the page.
func (v visitor) quote(path string, form url.Values) (string, url.Values, string) {
	v.t.Helper()
	status, to := v.post(path, form)
	require.Equal(v.t, http.StatusSeeOther, status, to)
	status, body := v.get(to)
	require.Equal(v.t, http.StatusOK, status)
	found := tokens.FindStringSubmatch(body)
	if found == nil {
		return to, nil, body
	}
	return to, url.Values{"token": {found[1]}}, body
}

// confirmThrice confirms a quote as an impatient user does, and returns the page.
func (v visitor) confirmThrice(path string, form url.Values) (body string) {
	v.t.Helper()
	for range 3 {
		status, to := v.post(path, form)
		require.Equal(v.t, http.StatusSeeOther, status)
		_, body = v.get(to)
	}
	return body
}

// refusedSinceQuote confirms a quote after the user's balance has become zero, and returns
// the page.
func (v visitor) refusedSinceQuote(d *dashboard, id, path string, quote url.Values) string {
	v.t.Helper()
	path, form, _ := v.quote(path, quote)
	require.NoError(v.t, d.sandbox.SetUserBalance(id, decimal.Zero))
	_, to := v.post(path, form)
	_, body := v.get(to)
	assert.Contains(v.t, body, "The balance is too low.")
	return body
}

func TestParse(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	cfg, err := parse([]string{"-addr", "localhost:0", "-write"}, io.Discard)
	require.NoError(t, err)
	assert.True(t, cfg.write)
	for _, args := range [][]string{{"-addr", "0.0.0.0:80"}, {"-addr", "example.com:80"}, {"-addr", ":8788"}, {"-addr", "x"}, {"more"}, {"-data", "x"}, {"-pace", "-1s"}, {"-nothing"}, {"-token", "short"}, {"-addr", "0.0.0.0:80", "-token", "short"}} {
		_, err := parse(args, io.Discard)
		assert.Error(t, err, args)
	}
}

func TestRun_Interrupt(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, config{addr: "127.0.0.1:0", pace: time.Millisecond}, in) }()
	line := make([]byte, 200)
	n, err := out.Read(line)
	require.NoError(t, err)
	home, mode, _ := strings.Cut(string(line[:n]), "  ")
	assert.Contains(t, mode, "Sandbox")
	// An open stream does not delay it.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, home+"/events", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	stop()
	require.NoError(t, <-ended)
}

func TestIndex(t *testing.T) {
	d, home := launch(t)
	v := newVisitor(t, home)
	evil, err := d.sandbox.AddUser("evil@example.com", `<script>alert(1)</script>`)
	require.NoError(t, err)
	_, body := v.get("/")
	for _, want := range []string{usd(d.sandbox.Balance()), usd(d.sandbox.Totals().Spent), "$0.90", "Nora Byrne", "Page 1 of 7", "61 in all", "&lt;script&gt;alert(1)", "package.created"} {
		assert.Contains(t, body, want)
	}
	assert.NotContains(t, body, "<script>")
	assert.Equal(t, 30, strings.Count(body, `<tr><th scope="row"><time datetime="20`), "a row for every day of the charts")
	_, body = v.get("/?page=7")
	assert.Contains(t, body, "Amara Okafor")
	_, body = v.get("/?q=okafor")
	assert.Contains(t, body, "1 found")
	_, body = v.get("/?q=" + url.QueryEscape(`"><img src=x>`))
	assert.Contains(t, body, "Nobody matches “&#34;&gt;&lt;img src=x&gt;”")
	_, body = v.get("/?gb=120")
	assert.Contains(t, body, "<strong>$108.00</strong> for 120 GB")
	_, body = v.get("/?gb=0")
	assert.Contains(t, body, "Enter a whole number")
	status, body := v.get("/users/" + evil)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "<h1>&lt;script&gt;")
	for _, path := range []string{"/users/nobody", "/users/..%2Faccount", "/operation", "/.git"} {
		status, _ := v.get(path)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	_, body = v.get("/packages?page=999")
	assert.Contains(t, body, "PKG-")
	status, _ = v.get("/assets/app.js?v=" + d.version)
	assert.Equal(t, http.StatusOK, status)
}

func TestIndex_APIErrors(t *testing.T) {
	d, home := launch(t)
	d.sandbox.SetAPIDisabled(true)
	status, body := newVisitor(t, home).get("/?gb=5")
	assert.Equal(t, http.StatusOK, status)
	assert.GreaterOrEqual(t, strings.Count(body, "The API refused the key"), 4)
	assert.Contains(t, body, "package.created", "stored data needs no API")
}

func TestSecurityHeaders(t *testing.T) {
	_, home := launch(t)
	v := newVisitor(t, home)
	for _, path := range []string{"/", "/nothing", "/assets/app.js"} {
		res, _, err := v.send(t.Context(), http.MethodGet, path, nil)
		require.NoError(t, err)
		policy := res.Header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self'", path)
		assert.NotContains(t, policy, "unsafe")
		assert.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
	}
	for host, want := range map[string]int{
		"localhost:8788": 200, "127.0.0.1": 200, "[::1]:8788": 200, "127.9.9.9:1": 200,
		"evil.example": 421, "evil.example:8788": 421, "127.0.0.1.evil.example": 421, "0.0.0.0:8788": 421, "192.168.0.5": 421,
	} {
		res, _, err := v.send(t.Context(), http.MethodGet, "/", nil, func(r *http.Request) { r.Host = host })
		require.NoError(t, err)
		assert.Equal(t, want, res.StatusCode, host)
	}
}

func TestLive_ReadOnly(t *testing.T) {
	d, home, api := launchLive(t, config{})
	assert.Contains(t, d.mode, "read-only")
	v := newVisitor(t, home)
	_, body := v.get("/")
	assert.Contains(t, body, "user3@example.com")
	assert.Contains(t, body, "None known yet")
	id := regexp.MustCompile(`/users/([0-9a-f-]{36})`).FindStringSubmatch(body)[1]
	_, body = v.get("/users/" + id)
	assert.Contains(t, body, "Reading only")
	assert.NotContains(t, body, "<form")
	for path, form := range map[string]url.Values{"/users/" + id + "/top-up": {"amount": {"5"}}, "/users/" + id + "/purchase": {"gb": {"5"}, "proxy_type": {"mobile"}}, "/operations/x": {"token": {"x"}}} {
		status, _ := v.post(path, form)
		assert.Equal(t, http.StatusForbidden, status, path)
	}
	for _, r := range api.RequestLog() {
		assert.Equal(t, http.MethodGet, r.Method, r.Operation)
	}
	status, _ := v.post("/webhooks", nil)
	assert.Equal(t, http.StatusServiceUnavailable, status, "without a secret events are refused")
}

// TestRestart_OpenOperations restarts after a stop during a call.
func TestRestart_OpenOperations(t *testing.T) {
	data := filepath.Join(t.TempDir(), "dashboard.db")
	d, home, api := launchLive(t, config{write: true, data: data})
	v := newVisitor(t, home)
	_, body := v.get("/")
	id := regexp.MustCompile(`/users/([0-9a-f-]{36})`).FindStringSubmatch(body)[1]
	require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(100)))
	path, form, _ := v.quote("/users/"+id+"/purchase", url.Values{"gb": {"10"}, "proxy_type": {"residential"}})
	status, _ := v.post(path, form)
	require.Equal(t, http.StatusSeeOther, status)
	// A top-up that was sent, with an unknown outcome.
	topUp, form, _ := v.quote("/users/"+id+"/top-up", url.Values{"amount": {"7"}, "note": {"cash"}})
	status, _ = v.post(topUp, form)
	require.Equal(t, http.StatusSeeOther, status)
	_, err := d.store.db.ExecContext(t.Context(), `UPDATE whozex_operations SET state = 'pending', response = NULL, result_id = '',
		source = '', lease_until = 0 WHERE idempotency_key = ?`, strings.TrimPrefix(topUp, "/operations/"))
	require.NoError(t, err)
	// A purchase whose response was lost, and which matches several packages.
	lost, form, _ := v.quote("/users/"+id+"/purchase", url.Values{"gb": {"5"}, "proxy_type": {"mobile"}})
	api.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	status, _ = v.post(lost, form)
	require.Equal(t, http.StatusSeeOther, status)
	unsent, _, _ := v.quote("/users/"+id+"/top-up", url.Values{"amount": {"7"}})
	requests := len(api.Ledger())
	require.NoError(t, d.close())

	_, home = launchAs(t, config{write: true, data: data})
	v = newVisitor(t, home)
	_, body = v.get("/")
	assert.Contains(t, body, "PKG-")
	assert.Contains(t, body, "5 GB mobile for")
	assert.Contains(t, body, "Do not repeat it before you know the outcome.")
	_, body = v.get(path)
	assert.Contains(t, body, "Package bought")
	assert.Contains(t, body, "$9.00")
	assert.Contains(t, body, "$91.00")
	status, _ = v.post(topUp+"/ask", nil)
	assert.Equal(t, http.StatusSeeOther, status)
	_, body = v.get(topUp)
	assert.Contains(t, body, "Top-up made")
	assert.Contains(t, body, "cash")
	_, body = v.get(lost)
	assert.Contains(t, body, "Outcome unknown")
	status, body = v.get(unsent)
	assert.Equal(t, http.StatusGone, status)
	assert.Contains(t, body, "Nothing was sent")
	for _, path := range []string{path, topUp, lost} {
		v.post(path, form)
	}
	assert.Len(t, api.Ledger(), requests, "nothing is sent twice")
}

func TestPages_NotFound(t *testing.T) {
	_, home := launch(t)
	v := newVisitor(t, home)
	for path, want := range map[string]string{"/?page=99999": "Amara Okafor", "/?page=2&q=okafor": "Amara Okafor", "/packages?page=99999": "PKG-"} {
		_, body := v.get(path)
		assert.Contains(t, body, "This is the last one", path)
		assert.Contains(t, body, want, path)
		assert.NotContains(t, body, "No users yet", path)
	}
}

// launchOn starts the dashboard with a key on a sandbox with options.
func launchOn(t *testing.T, cfg config, options ...whozextest.Option) (*dashboard, string, *whozextest.Server) {
	t.Helper()
	api := whozextest.NewServer(options...)
	t.Cleanup(api.Close)
	t.Setenv("WHOZEX_API_KEY", api.APIKey)
	t.Setenv("WHOZEX_BASE_URL", api.URL)
	d, home := launchAs(t, cfg)
	return d, home, api
}

// TestUser_OldUserOfManyPages finds an old user by id alone, as a link has only the id.
func TestUser_OldUserOfManyPages(t *testing.T) {
	_, home, api := launchOn(t, config{}, whozextest.WithUsers(3000))
	list, err := api.Client().ListUsers(t.Context(), whozex.ListUsersParams{Page: 3000, Limit: 1})
	require.NoError(t, err)
	status, body := newVisitor(t, home).get("/users/" + list.Items[0].ID)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, list.Items[0].Email)
}

func TestPages_APIDown(t *testing.T) {
	d, home, api := launchLive(t, config{})
	d.client.CloseIdleConnections()
	api.Close()
	status, body := newVisitor(t, home).get("/?q=someone")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "The API cannot be reached")
	assert.NotRegexp(t, `dial tcp|127\.0\.0\.1|attempts|0 found`, body)
}

func TestIndex_PriceTiles(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []whozextest.Option
		want    string
	}{
		{name: "an agreed price above the VIP price", options: []whozextest.Option{whozextest.WithCustomPrice(decimal.NewFromInt(2))}, want: "your agreed price applies"},
		{name: "VIP", options: []whozextest.Option{whozextest.WithoutCustomPrice()}, want: "VIP prices apply"},
		{name: "neither", options: []whozextest.Option{whozextest.WithoutCustomPrice(), whozextest.WithVIP(false)}, want: "standard prices"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, home, _ := launchOn(t, config{}, tt.options...)
			_, body := newVisitor(t, home).get("/")
			for _, text := range []string{"your agreed price applies", "VIP prices apply", "standard prices"} {
				assert.Equal(t, text == tt.want, strings.Contains(body, text), text)
			}
			assert.Contains(t, body, "Nothing was spent in these 30 days.")
			assert.NotContains(t, body, `class="plot"`)
		})
	}
}

func TestMetrics(t *testing.T) {
	_, home := launch(t)
	v := newVisitor(t, home)
	code, _ := v.get("/")
	require.Equal(t, http.StatusOK, code)
	code, page := v.get("/metrics")
	require.Equal(t, http.StatusOK, code)
	assert.Regexp(t, `(?m)^whozex_client_calls_total\{.*http_response_status_code="200".*whozex_operation="GetAccount",whozex_outcome="ok"\} [1-9]`, page)
	assert.Regexp(t, `(?m)^http_client_request_duration_seconds_count\{.*\} [1-9]`, page)
	assert.Regexp(t, `(?m)^whozex_idempotency_keys\{.*whozex_state="indeterminate"\} 0$`, page)
	assert.NotContains(t, page, "@example.com")
}
