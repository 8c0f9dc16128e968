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

	"github.com/whozex/whozex-go"
)

func traced(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) }

// TestTracingLosesNoProtection makes calls just as the server drops idle
// connections. It counts how many are left unknown with otelhttp as middleware,
// and in place of the transport.
func TestTracingLosesNoProtection(t *testing.T) {
	const idle, lanes, rounds = 700 * time.Millisecond, 160, 3
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true,"data":{}}`)
	}))
	server.Config.IdleTimeout = idle
	server.Start()
	t.Cleanup(server.Close)
	unknown := func(opts ...whozex.Option) (count int64) {
		client, err := whozex.New("wx_live_example", append(opts, whozex.WithBaseURL(server.URL))...)
		require.NoError(t, err)
		t.Cleanup(client.CloseIdleConnections)
		var lost atomic.Int64
		var group sync.WaitGroup
		for lane := range lanes {
			group.Go(func() {
				for range rounds {
					err := client.Do(t.Context(), http.MethodPost, "things", nil, nil, nil)
					if errors.Is(err, whozex.ErrOutcomeUnknown) {
						lost.Add(1)
					} else {
						assert.NoError(t, err)
					}
					// The pause is what is tested: it ends around the time-out.
					time.Sleep(idle + time.Duration(lane-lanes/2)*25*time.Microsecond)
				}
			})
		}
		group.Wait()
		return lost.Load()
	}
	assert.Zero(t, unknown(whozex.WithMiddleware(traced)))
	pooled := &http.Transport{MaxIdleConnsPerHost: lanes}
	t.Cleanup(pooled.CloseIdleConnections)
	t.Logf("of %d calls, %d are left unknown with otelhttp in place of the transport",
		lanes*rounds, unknown(whozex.WithHTTPClient(&http.Client{Transport: traced(pooled)})))
}
