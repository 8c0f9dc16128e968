package redisguard_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/redisguard"
)

func TestTransport_RetryAfter(t *testing.T) {
	t.Parallel()
	// The server's clock is an hour behind: only the difference to Date counts.
	serverTime := time.Now().Add(-time.Hour).UTC()
	for name, test := range map[string]struct {
		retryAfter, date string
		want             time.Duration
	}{
		"seconds":   {retryAfter: "20", want: 20 * time.Second},
		"too long":  {retryAfter: "3600", want: 60 * time.Second},
		"HTTP date": {retryAfter: serverTime.Add(20 * time.Second).Format(http.TimeFormat), date: serverTime.Format(http.TimeFormat), want: 20 * time.Second},
		"past date": {retryAfter: serverTime.Format(http.TimeFormat), date: serverTime.Format(http.TimeFormat), want: 0},
		"no Date":   {date: "-", want: 20 * time.Second},
		"missing":   {want: 0},
		"invalid":   {retryAfter: "soon", want: 0},
		"negative":  {retryAfter: "-5", want: 0},
		"overflow":  {retryAfter: "99999999999999999999", want: 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if test.date != "" {
					w.Header().Set("Date", test.date)
				}
				if test.date == "-" {
					test.retryAfter = time.Now().Add(20 * time.Second).UTC().Format(http.TimeFormat)
				}
				w.Header().Set("Retry-After", test.retryAfter)
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			defer srv.Close()
			limiter := newLimiter(t, r, highLimit, redisguard.FailClosed())
			client := http.Client{Transport: limiter.Transport(nil)}
			resp, err := client.Get(srv.URL)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			got := max(connect(t, r).PTTL(t.Context(), "whozex:pause").Val(), 0)
			assert.InDelta(t, test.want.Seconds(), got.Seconds(), 3)
			if test.want > 0 {
				require.ErrorIs(t, limiter.Wait(contextWithTimeout(t, 5*time.Second)), context.DeadlineExceeded)
			} else {
				require.NoError(t, limiter.Wait(t.Context()))
			}
		})
	}
}

func TestTransport_OtherFailuresDoNotPause(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limiter := newLimiter(t, r, highLimit, redisguard.FailClosed())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "20")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	client := http.Client{Transport: limiter.Transport(http.DefaultTransport)}
	resp, err := client.Get(srv.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	srv.Close()
	_, err = client.Get(srv.URL)
	require.Error(t, err)
	require.NoError(t, limiter.Wait(contextWithTimeout(t, 5*time.Second)))
}

// If the server closes an idle connection just as a purchase is sent on it, the
// outcome is unknown. So mutating calls do not reuse idle connections.
func TestTransport_WritesUseFreshConnections(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limiter := newLimiter(t, r, highLimit, redisguard.FailClosed())
	var opened, closed atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened.Add(1)
		case http.StateClosed:
			closed.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	client := http.Client{Transport: limiter.Transport(base)}
	for range 2 {
		resp, err := client.Get(srv.URL)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		resp, err = client.Post(srv.URL, "application/json", strings.NewReader("{}"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	require.EqualValues(t, 2, opened.Load(), "one for reads and one for writes")
	require.Eventually(t, func() bool { return closed.Load() == 1 }, 5*time.Second, 10*time.Millisecond)
	resp, err := client.Get(srv.URL)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.EqualValues(t, 2, opened.Load(), "the connection for reads must be reused")
	client.CloseIdleConnections()
	require.Eventually(t, func() bool { return closed.Load() == 2 }, 5*time.Second, 10*time.Millisecond)
}
