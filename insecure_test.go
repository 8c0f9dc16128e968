package whozex_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const otherHost = "http://sandbox.example:8787/v1"

func TestWithInsecureHTTP(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opts    []whozex.Option
		refused string
		warned  int
	}{
		{name: "without it", opts: []whozex.Option{whozex.WithBaseURL(otherHost)}, refused: "must be https"},
		{name: "before the base URL", opts: []whozex.Option{whozex.WithInsecureHTTP(), whozex.WithBaseURL(otherHost)}, warned: 1},
		{name: "after the base URL", opts: []whozex.Option{whozex.WithBaseURL(otherHost), whozex.WithInsecureHTTP()}, warned: 1},
		{name: "not needed", opts: []whozex.Option{whozex.WithInsecureHTTP()}},
		{name: "loopback", opts: []whozex.Option{whozex.WithInsecureHTTP(), whozex.WithBaseURL("http://127.0.0.1:1")}},
		{name: "another scheme", opts: []whozex.Option{whozex.WithInsecureHTTP(), whozex.WithBaseURL("ftp://example.com")}, refused: "must be https"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			_, err := whozex.New(testKey, append(tt.opts, whozex.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))...)
			if tt.refused == "" {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, whozex.ErrInvalidParams)
				require.ErrorContains(t, err, tt.refused)
			}
			assert.Equal(t, tt.warned, strings.Count(log.String(), "unencrypted"), log.String())
			assert.NotContains(t, log.String(), testKey)
		})
	}
}

func TestWithInsecureHTTP_FromEnv(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", testKey)
	t.Setenv("WHOZEX_BASE_URL", otherHost)
	for _, tt := range []struct {
		name, value, refused string
	}{
		{name: "on", value: "1"},
		{name: "off", value: "0", refused: "must be https"},
		{name: "not set", value: "", refused: "must be https"},
		{name: "neither", value: "maybe", refused: "WHOZEX_INSECURE_HTTP must be 1 or 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("WHOZEX_INSECURE_HTTP", tt.value)
			_, err := whozex.FromEnv()
			if tt.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.refused)
		})
	}
}

func TestWithInsecureHTTP_Calls(t *testing.T) {
	var hosts []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.Host)
		assert.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
		respond(w, 200, ok(everything))
	}))
	t.Cleanup(server.Close)
	toServer := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	t.Cleanup(toServer.CloseIdleConnections)
	client, err := whozex.New(testKey, whozex.WithBaseURL(otherHost), whozex.WithInsecureHTTP(), whozex.WithHTTPClient(&http.Client{Transport: toServer}))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	_, err = client.GetAccount(t.Context())
	require.NoError(t, err)
	_, err = client.CreateWebhook(t.Context(), whozex.CreateWebhookParams{URL: "http://app:8080/webhooks", Events: []string{whozex.EventUserCreated}})
	require.NoError(t, err)
	assert.Equal(t, []string{"sandbox.example:8787", "sandbox.example:8787"}, hosts)
}
