package whozex_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

func TestWithDebugWriter(t *testing.T) {
	server := whozextest.NewServer()
	t.Cleanup(server.Close)
	user, err := server.AddUser("john@example.com", "John Doe")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(user, decimal.NewFromInt(50)))
	var dump bytes.Buffer
	first := server.APIKey
	client := server.Client(whozex.WithDebugWriter(&dump))
	pkg, err := client.PurchasePackage(t.Context(), user, whozex.PurchasePackageParams{GB: 20})
	require.NoError(t, err)
	credentials, err := client.GetCredentials(t.Context(), pkg.ID, whozex.Targeting{Country: "TR"})
	require.NoError(t, err)
	hook, err := client.CreateWebhook(t.Context(), whozex.CreateWebhookParams{URL: "https://example.com", Events: []string{"x"}})
	require.NoError(t, err)
	renewed, err := client.RegenerateKey(t.Context())
	require.NoError(t, err)
	text := dump.String()
	for _, secret := range []whozex.Secret{
		whozex.Secret(first), pkg.EvomiPassword, credentials.Password, credentials.HTTP.ConnectionString,
		credentials.SOCKS5.ConnectionString, credentials.HTTP.CurlExample, hook.Secret, renewed.APIKey,
	} {
		require.NotEmpty(t, string(secret))
		assert.NotContains(t, text, string(secret))
	}
	for _, visible := range []string{
		"> PurchasePackage, attempt 1: POST " + server.URL + "/users/" + user + "/packages\n", "> User-Agent: whozex-go/", `> {"gb":20}` + "\n",
		"< PurchasePackage, attempt 1: HTTP/1.1 200 OK, after ", `"evomi_password":"[redacted]"`, `"user_balance_after":32.00`, pkg.EvomiUsername,
	} {
		assert.Contains(t, text, visible)
	}
}

func TestWithDebugWriter_Failures(t *testing.T) {
	for _, tt := range []struct {
		name, shows string
		handler     http.HandlerFunc
	}{
		{name: "an echoed key", shows: "[redacted] is unknown", handler: func(w http.ResponseWriter, _ *http.Request) {
			respond(w, 401, `{"success":false,"error":{"message":"`+testKey+` is unknown"}}`)
		}},
		{name: "a page", shows: "< <h1>Bad.[31m gateway</h1>\n< next line\n", handler: func(w http.ResponseWriter, _ *http.Request) {
			respond(w, 404, "<h1>Bad\x1b[31m gateway</h1>\r\nnext line")
		}},
		{name: "no response", shows: "< GetAccount, attempt 1: EOF, after ", handler: func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		}},
		{name: "a password cut short", shows: `"password":"[redacted]"`, handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"success":true,"data":{"password": "secret-wxp\"1a`)
		}},
		{name: "headers", shows: "< Set-Cookie: [redacted]\n", handler: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "secret")
			w.Header().Set("X-Echo", testKey)
			respond(w, 404, "")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var dump bytes.Buffer
			client := serve(t, tt.handler, whozex.WithDebugWriter(&dump), whozex.WithMaxRetries(0))
			_, err := client.GetAccount(t.Context())
			require.Error(t, err)
			shown := strings.Replace(dump.String(), `"password": "`, `"password":"`, 1)
			assert.Contains(t, shown, tt.shows)
			assert.NotContains(t, shown, testKey)
			assert.NotContains(t, shown, "secret")
		})
	}
}

// TestWithDebugWriter_ChangesNothing checks that the writer does not change responses and
// is beneath other middleware.
func TestWithDebugWriter_ChangesNothing(t *testing.T) {
	var dump bytes.Buffer
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, 200, ok(`{"api_key":"wx_live_second","password":"x"}`))
	}, whozex.WithDebugWriter(&dump), whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			r.Header.Set("X-Trace", "traced")
			return next.RoundTrip(r)
		})
	}))
	var got whozex.Response
	key, err := client.RegenerateKey(t.Context(), whozex.CaptureResponse(&got))
	require.NoError(t, err)
	assert.Equal(t, "wx_live_second", string(key.APIKey))
	assert.Contains(t, string(got.Body), `"password":"x"`)
	assert.Contains(t, dump.String(), "> X-Trace: traced\n")
	_, err = whozex.New(testKey, whozex.WithDebugWriter(nil))
	assert.ErrorIs(t, err, whozex.ErrMissingField)
}
