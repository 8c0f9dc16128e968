package e2e

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/net/http2"

	"github.com/whozex/whozex-go"
)

func traced(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) }

const (
	serverIdle = 700 * time.Millisecond
	idleLanes  = 160
	idleRounds = 3
)

// TestIdleConnections makes mutating calls just as the server drops idle
// connections, and counts how many end unknown.
func TestIdleConnections(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true,"data":{}}`)
	})
	plain, secure := httptest.NewUnstartedServer(handler), httptest.NewUnstartedServer(handler)
	plain.Config.IdleTimeout, secure.Config.IdleTimeout = serverIdle, serverIdle
	secure.EnableHTTP2 = true
	plain.Start()
	t.Cleanup(plain.Close)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	configured := trusting()
	_, err := http2.ConfigureTransports(configured)
	require.NoError(t, err)
	t.Cleanup(configured.CloseIdleConnections)
	hiddenPool := &http.Transport{MaxIdleConnsPerHost: idleLanes}
	t.Cleanup(hiddenPool.CloseIdleConnections)
	for name, test := range map[string]struct {
		server    *httptest.Server
		opts      []whozex.Option
		protected bool
	}{
		"default":                          {server: plain, protected: true},
		"otelhttp as middleware":           {server: plain, opts: []whozex.Option{whozex.WithMiddleware(traced)}, protected: true},
		"otelhttp in place of a transport": {server: plain, opts: []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: traced(hiddenPool)})}},
		"TLS":                              {server: secure, protected: true},
		"TLS, a transport that x/net configured": {
			server: secure, opts: []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: configured})}, protected: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			unknown := callAfterPauses(t, append(test.opts, whozex.WithBaseURL(test.server.URL)))
			t.Logf("%s: %d of %d calls end unknown", name, unknown, idleLanes*idleRounds)
			if test.protected {
				assert.Zero(t, unknown)
			}
		})
	}
}

func callAfterPauses(t *testing.T, opts []whozex.Option) int64 {
	client, err := whozex.New("wx_live_example", opts...)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	var unknown atomic.Int64
	var group sync.WaitGroup
	for lane := range idleLanes {
		group.Go(func() {
			for range idleRounds {
				err := client.Do(t.Context(), http.MethodPost, "things", nil, nil, nil)
				if errors.Is(err, whozex.ErrOutcomeUnknown) {
					unknown.Add(1)
				} else {
					assert.NoError(t, err)
				}
				// The pause is what is tested: it ends around the time-out.
				time.Sleep(serverIdle + time.Duration(lane-idleLanes/2)*25*time.Microsecond)
			}
		})
	}
	group.Wait()
	return unknown.Load()
}
