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
	serverIdle  = 700 * time.Millisecond
	idleWorkers = 160
	idleRounds  = 3
)

// The test makes mutating calls just when the server closes idle connections, and
// counts unknown outcomes.
func TestMutatingCalls_IdleConnections(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true,"data":{}}`)
	})
	httpServer, tlsServer := httptest.NewUnstartedServer(handler), httptest.NewUnstartedServer(handler)
	httpServer.Config.IdleTimeout, tlsServer.Config.IdleTimeout = serverIdle, serverIdle
	tlsServer.EnableHTTP2 = true
	httpServer.Start()
	t.Cleanup(httpServer.Close)
	tlsServer.StartTLS()
	t.Cleanup(tlsServer.Close)
	configured := newTransport()
	_, err := http2.ConfigureTransports(configured)
	require.NoError(t, err)
	t.Cleanup(configured.CloseIdleConnections)
	wrapped := &http.Transport{MaxIdleConnsPerHost: idleWorkers}
	t.Cleanup(wrapped.CloseIdleConnections)
	for name, test := range map[string]struct {
		server    *httptest.Server
		opts      []whozex.Option
		protected bool
	}{
		"default":                {server: httpServer, protected: true},
		"otelhttp as middleware": {server: httpServer, opts: []whozex.Option{whozex.WithMiddleware(traced)}, protected: true},
		"otelhttp as transport":  {server: httpServer, opts: []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: traced(wrapped)})}},
		"TLS":                    {server: tlsServer, protected: true},
		"TLS, http2.ConfigureTransports": {
			server: tlsServer, opts: []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: configured})}, protected: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			unknown := callAfterPauses(t, append(test.opts, whozex.WithBaseURL(test.server.URL)))
			t.Logf("%s: %d of %d calls have an unknown outcome", name, unknown, idleWorkers*idleRounds)
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
	for worker := range idleWorkers {
		group.Go(func() {
			for range idleRounds {
				err := client.Do(t.Context(), http.MethodPost, "things", nil, nil, nil)
				if errors.Is(err, whozex.ErrOutcomeUnknown) {
					unknown.Add(1)
				} else {
					assert.NoError(t, err)
				}
				// The calls happen around the server's idle timeout.
				time.Sleep(serverIdle + time.Duration(worker-idleWorkers/2)*25*time.Microsecond)
			}
		})
	}
	group.Wait()
	return unknown.Load()
}
