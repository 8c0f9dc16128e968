package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shell runs commands with the environment variables that the sandbox prints.
type shell struct {
	t        *testing.T
	url, key string
}

// open starts the sandbox and reads its first two lines.
func open(t *testing.T, args ...string) shell {
	t.Helper()
	options, err := parse(append([]string{"-addr", "127.0.0.1:0"}, args...), io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	stdout, writer := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, options, writer, io.Discard) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-served)
	})
	lines := bufio.NewScanner(stdout)
	read := func(name string) string {
		require.True(t, lines.Scan())
		value, found := strings.CutPrefix(lines.Text(), "export "+name+"=")
		require.True(t, found, lines.Text())
		return value
	}
	s := shell{t: t, url: read("WHOZEX_BASE_URL"), key: read("WHOZEX_API_KEY")}
	assert.Regexp(t, `^http://127\.0\.0\.1:[0-9]+/v1$`, s.url)
	return s
}

// run executes a curl line of the documentation with the sandbox's URL and key.
func (s shell) run(line string) string {
	s.t.Helper()
	line = strings.ReplaceAll(line, "https://api.whozex.com/v1", s.url)
	cmd := exec.CommandContext(s.t.Context(), "sh", "-c", strings.Replace(line, "curl", "curl -sS", 1))
	cmd.Env = append(os.Environ(), "API_KEY="+s.key, "no_proxy=*")
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s\n%s", line, out)
	return string(out)
}

func (s shell) data(line string) map[string]any {
	s.t.Helper()
	raw := s.run(line)
	var response struct {
		Success bool
		Data    map[string]any
		Meta    struct{ Timestamp, Version string }
	}
	require.NoError(s.t, json.Unmarshal([]byte(raw), &response), raw)
	require.True(s.t, response.Success, raw)
	assert.Equal(s.t, "1.0.0", response.Meta.Version)
	assert.NotEmpty(s.t, response.Meta.Timestamp)
	return response.Data
}

const (
	get  = `curl -H "Authorization: Bearer $API_KEY" `
	post = `curl -X POST -H "Authorization: Bearer $API_KEY" -H "Content-Type: application/json" `
)

// The test runs the documentation's curl line of every route. It compares the responses
// as text, because the number format matters.
func TestSandbox_DocumentedCurlLines(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	s := open(t, "-users", "2")
	user, _ := s.data(post + `-d '{"name":"John Doe","email":"john@example.com"}' https://api.whozex.com/v1/users`)["id"].(string)
	require.Regexp(t, `^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`, user)
	balance := s.run(post + `-d '{"action":"add","amount":50,"note":"TRX payment received"}' https://api.whozex.com/v1/users/` + user + `/balance`)
	assert.Contains(t, balance, `"action":"add","amount":50.00,"user_balance":50.00,"reseller_balance":100.00}`)
	bought := s.data(post + `-d '{"proxy_type":"residential","gb":20}' https://api.whozex.com/v1/users/` + user + `/packages`)
	id, _ := bought["id"].(string)
	require.Regexp(t, `^PKG-[0-9A-F]{6}$`, id)
	for _, tt := range []struct{ name, line, want string }{
		{name: "account", line: get + `https://api.whozex.com/v1/account`, want: `"balance":100.00,"is_vip":true,`},
		{name: "account with the other header", line: `curl -H "X-API-Key: $API_KEY" https://api.whozex.com/v1/account`, want: `"custom_price_per_gb":0.90}`},
		{name: "stats", line: get + `https://api.whozex.com/v1/account/stats`, want: `"success":true`},
		{name: "transactions", line: get + `"https://api.whozex.com/v1/account/transactions?limit=1"`, want: `"pagination":{"total":2,"page":1,"limit":1,"pages":2,"has_next":true,"has_prev":false}`},
		{name: "users", line: get + `"https://api.whozex.com/v1/users?search=john"`, want: `"pagination":{"total":1,"page":1,"limit":20,"pages":1,"has_next":false,"has_prev":false}`},
		{name: "package", line: get + `https://api.whozex.com/v1/packages/` + id, want: `"live":true`},
		{name: "add-gb", line: post + `-d '{"gb":10}' https://api.whozex.com/v1/packages/` + id + `/add-gb`, want: `"total_gb":30`},
		{name: "credentials", line: get + `"https://api.whozex.com/v1/packages/` + id + `/credentials?country=TR"`, want: `"targeting":{"country":"TR","city":null}`},
		{name: "usage", line: get + `"https://api.whozex.com/v1/packages/` + id + `/usage?duration=7d&granularity=day"`, want: `"success":true`},
		{name: "pricing", line: get + `https://api.whozex.com/v1/pricing`, want: `{"gb":100,"label":"100 GB","standard_price":1.00,"vip_price":0.80,"your_price":0.90,"total_cost":90.00}`},
		{name: "calculate", line: get + `"https://api.whozex.com/v1/pricing/calculate?gb=50"`, want: `"data":{"gb":50,"price_per_gb":0.90,"total":45.00,"is_vip":true,"custom_price":true}`},
		{name: "analytics", line: get + `https://api.whozex.com/v1/analytics/overview`, want: `"success":true`},
		{name: "webhooks", line: post + `-d '{"url":"https://bot.example.com/webhook","events":["package.low_gb","balance.added","user.created"]}' https://api.whozex.com/v1/webhooks`, want: `"secret":"wxsec_`},
		{name: "unknown route", line: get + `https://api.whozex.com/v1/nothing`, want: `"code":"NOT_FOUND"`},
		{name: "no key", line: `curl https://api.whozex.com/v1/account`, want: `"code":"MISSING_API_KEY"`},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Contains(t, s.run(tt.line), tt.want) })
	}
	regenerated := s.data(`curl -X POST -H "Authorization: Bearer $API_KEY" https://api.whozex.com/v1/account/regenerate-key`)
	assert.Contains(t, s.run(get+`https://api.whozex.com/v1/account`), `"code":"INVALID_API_KEY"`)
	for _, key := range regenerated {
		if text, ok := key.(string); ok && strings.HasPrefix(text, "wx_live_") {
			s.key = text
		}
	}
	assert.Contains(t, s.run(get+`https://api.whozex.com/v1/account`), `"success":true`)
}

func TestSandbox_Flags(t *testing.T) {
	s := open(t, "-balance", "7.5", "-key", "wx_live_example", "-rate", "0.01", "-burst", "1")
	assert.Equal(t, "wx_live_example", s.key)
	getAccount := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/account", nil)
		require.NoError(t, err)
		req.Header.Set("X-API-Key", s.key)
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	code, body := getAccount()
	assert.Equal(t, 200, code)
	assert.Contains(t, body, `"balance":7.50`)
	code, _ = getAccount()
	assert.Equal(t, 429, code)
}

func TestSandbox_InvalidFlags(t *testing.T) {
	for _, args := range [][]string{{"-users", "x"}, {"-unknown"}, {"extra", "args"}, {"-balance", "1e"}} {
		var stderr bytes.Buffer
		_, err := parse(args, &stderr)
		require.Error(t, err)
		assert.Contains(t, stderr.String(), strings.TrimLeft(args[0], "-"))
	}
	options, err := parse([]string{"-addr", "0.0.0.0:0"}, io.Discard)
	require.NoError(t, err)
	assert.ErrorContains(t, serve(t.Context(), options, io.Discard, io.Discard), "loopback")
}

// The test runs itself as a child process that runs the program.
func TestSandbox_Interrupt(t *testing.T) {
	if os.Getenv("SANDBOX_MAIN") != "" {
		os.Args = []string{"sandbox", "-addr", "127.0.0.1:0"}
		main()
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestSandbox_Interrupt$")
	cmd.Env = append(os.Environ(), "SANDBOX_MAIN=1")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	firstLine, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	assert.Regexp(t, regexp.MustCompile(`^export WHOZEX_BASE_URL=http://127`), firstLine)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	assert.NoError(t, cmd.Wait())
}
