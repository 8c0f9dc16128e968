package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// startLive starts a fake server with a package, and makes doctor use it as the live
// API.
func startLive(t *testing.T) (*whozextest.Server, string) {
	t.Helper()
	server := whozextest.NewServer()
	t.Cleanup(server.Close)
	id, err := addData(t.Context(), server)
	require.NoError(t, err)
	t.Setenv("WHOZEX_API_KEY", server.APIKey)
	t.Setenv("WHOZEX_BASE_URL", server.URL)
	return server, id
}

func doctor(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

func TestDoctor_FakeServer(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	code, out := doctor(t)
	assert.Equal(t, exitSame, code, out)
	assert.Contains(t, out, "GetCredentials")
	assert.Contains(t, out, "nothing that is documented differs")
}

func TestDoctor_ReadsOnly(t *testing.T) {
	server, id := startLive(t)
	before := len(server.RequestLog())
	code, out := doctor(t, "-package", id)
	assert.Equal(t, exitSame, code, out)
	called := map[whozex.Operation]bool{}
	for _, r := range server.RequestLog()[before:] {
		assert.Equal(t, http.MethodGet, r.Method)
		assert.Equal(t, http.StatusOK, r.Status)
		called[r.Operation] = true
	}
	assert.Len(t, called, 10, "all reading calls")
	_, err := readOnlyTransport{}.RoundTrip(&http.Request{Method: http.MethodPost})
	assert.Error(t, err)
}

func TestDoctor_Differences(t *testing.T) {
	for _, tt := range []struct {
		name string
		op   whozex.Operation
		from string
		to   string
		path string
		code int
	}{
		{name: "documented", op: whozex.OpGetAccount, from: "balance", to: "amount", path: "balance", code: exitDifferent},
		{name: "inferred", op: whozex.OpListUsers, from: "created_at", to: "since", path: "users[].created_at", code: exitSame},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, _ := startLive(t)
			server.Rename(tt.op, map[string]string{tt.from: tt.to})
			code, out := doctor(t)
			assert.Equal(t, tt.code, code, out)
			assert.Contains(t, out, tt.path)
			assert.Contains(t, out, "missing field")
			assert.Contains(t, out, "unknown field")
		})
	}
}

func TestDoctor_StoredResponse(t *testing.T) {
	for _, test := range []struct {
		name string
		op   string
		body string
		code int
		want []string
	}{
		{
			name: "odd values", op: "PurchasePackage", code: exitDifferent,
			body: `{"success":true,"data":{"id":7,"proxy_type":"mobile","total_gb":"5","used_gb":"","remaining_gb":5,"status":1,"evomi_username":"u","evomi_password":"secret","cost":4.50,"price_per_gb":0.90,"created_at":1735732800,"expires_at":null},"meta":{"timestamp":"2025-01-01T12:00:00.000Z","version":"1.0.0"}}`,
			want: []string{"integer instead of string, converted", "string instead of number, not read", "user_balance_after", "missing field"},
		},
		{
			name: "as documented", op: "AddBalance", code: exitSame,
			body: `{"success":true,"data":{"user_id":"u","action":"add","amount":50.00,"user_balance":50.00,"reseller_balance":100.00},"meta":{"timestamp":"2025-01-01T12:00:00.000Z","version":"1.0.0"}}`,
			want: []string{"as expected"},
		},
		{name: "without an id", op: "CreateUser", body: `{"success":true,"data":{"email":"john@example.com"}}`, code: exitDifferent, want: []string{"cannot be decoded", "id"}},
		{name: "a reading operation", op: "GetAccount", body: `{}`, code: exitNotRun, want: []string{"must be a mutating operation"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "response.json")
			require.NoError(t, os.WriteFile(file, []byte(test.body), 0o600))
			code, out := doctor(t, "-operation", test.op, "-answer", file)
			assert.Equal(t, test.code, code, out)
			for _, text := range test.want {
				assert.Contains(t, out, text)
			}
			assert.NotContains(t, out, "secret")
		})
	}
	code, _ := doctor(t, "-operation", "CreateUser", "-answer", filepath.Join(t.TempDir(), "absent"))
	assert.Equal(t, exitNotRun, code)
}

func TestDoctor_Failures(t *testing.T) {
	server, _ := startLive(t)
	code, out := doctor(t, "-package", "PKG-000000")
	assert.Equal(t, exitNotRun, code)
	assert.Contains(t, out, "GetUsage")
	assert.Contains(t, out, whozex.ErrNotFound.Error())
	server.Inject(whozex.OpGetPricing, whozextest.HTMLErrorBeforeCommit(502), 10)
	code, out = doctor(t)
	assert.Equal(t, exitNotRun, code)
	assert.Contains(t, out, whozex.ErrServer.Error())
	t.Setenv("WHOZEX_API_KEY", "wx_live_example")
	code, _ = doctor(t)
	assert.Equal(t, exitNotRun, code)
	code, _ = doctor(t, "-nothing")
	assert.Equal(t, exitNotRun, code)
	code, _ = doctor(t, "-report", t.TempDir())
	assert.Equal(t, exitNotRun, code)
}

// recorder records the bodies of all responses.
type recorder struct {
	http.ResponseWriter
	body *bytes.Buffer
}

func (r recorder) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// visit calls name for each name and leaf for each value in JSON.
func visit(value any, name, leaf func(string)) {
	switch v := value.(type) {
	case map[string]any:
		for key, item := range v {
			name(key)
			visit(item, name, leaf)
		}
	case []any:
		for _, item := range v {
			visit(item, name, leaf)
		}
	case json.Number:
		leaf(v.String())
	case string:
		leaf(v)
	}
}

func TestDoctor_ReportHasNoValues(t *testing.T) {
	server, id := startLive(t)
	user, err := server.AddUser("secret.customer@example.com", "Secret Customer")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(user, decimal.RequireFromString("98.76")))
	var bodies bytes.Buffer
	front := http.NewServeMux()
	front.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(recorder{w, &bodies}, r) })
	proxy := serve(t, front)
	t.Setenv("WHOZEX_BASE_URL", proxy+"/v1")

	file := filepath.Join(t.TempDir(), "report.json")
	code, table := doctor(t, "-package", id, "-report", file)
	require.Equal(t, exitSame, code, table)
	_, printed := doctor(t, "-package", id, "-json")
	report, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.JSONEq(t, string(report), printed)

	names, values, reported := map[string]bool{}, map[string]bool{}, map[string]bool{}
	decoder := json.NewDecoder(&bodies)
	decoder.UseNumber()
	for decoder.More() {
		var body any
		require.NoError(t, decoder.Decode(&body))
		visit(body, func(name string) { names[name] = true }, func(value string) { values[value] = true })
	}
	require.Greater(t, len(values), 50)
	var parsed any
	require.NoError(t, json.Unmarshal(report, &parsed))
	visit(parsed, func(name string) { reported[name] = true }, func(value string) { reported[value] = true })
	for value := range values {
		if names[value] {
			continue // such as residential, which is also a key
		}
		assert.False(t, reported[value], "%q is in the report", value)
		if len(value) >= 4 {
			word := regexp.MustCompile(`\b` + regexp.QuoteMeta(value) + `\b`)
			assert.False(t, word.MatchString(string(report)+table), "%q is in the report", value)
		}
	}
	for _, secret := range []string{server.APIKey, id, user, "secret.customer", "Secret Customer", "98.76", proxy} {
		assert.False(t, strings.Contains(string(report)+table, secret), secret)
	}
}

func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
