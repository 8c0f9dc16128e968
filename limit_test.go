package whozex_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/assert"
	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go"
)

// limited is a server that refuses requests above its rate. In a synctest bubble its clock
// is virtual, so that results do not depend on the machine.
type limited struct {
	mu        sync.Mutex
	work      time.Duration // time for a response other than a refusal
	admit     func(now time.Time) (retryAfter int, ok bool)
	responses int
	refused   int
}

func (l *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(time.Millisecond) // of a virtual clock
	l.mu.Lock()
	wait, ok := l.admit(time.Now())
	resp := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: req}
	body := `{"success":true,"data":` + everything + `}`
	if ok {
		l.responses++
	} else {
		l.refused++
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", strconv.Itoa(wait))
		body = `{"success":false,"error":{"message":"Too many requests"}}`
	}
	l.mu.Unlock()
	if ok {
		time.Sleep(l.work) // of a virtual clock
	}
	time.Sleep(time.Millisecond) // of a virtual clock
	resp.Body = io.NopCloser(strings.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// bucketOf is a token bucket with a Retry-After of one second.
func bucketOf(perSecond, burst float64) func(time.Time) (int, bool) {
	tokens, last := burst, time.Now()
	return func(now time.Time) (int, bool) {
		tokens = math.Min(burst, tokens+now.Sub(last).Seconds()*perSecond)
		last = now
		if tokens < 1 {
			return 1, false
		}
		tokens--
		return 0, true
	}
}

// windowOf is a counter for fixed windows; its Retry-After is the rest of the window,
// rounded up.
func windowOf(most int, window time.Duration) func(time.Time) (int, bool) {
	var current int64
	var n int
	return func(now time.Time) (int, bool) {
		if w := now.UnixNano() / int64(window); w != current {
			current, n = w, 0
		}
		if n >= most {
			left := window - time.Duration(now.UnixNano()%int64(window))
			return int(math.Ceil(left.Seconds())), false
		}
		n++
		return 0, true
	}
}

const callers = 16

// callConcurrently makes calls from many goroutines and returns how long they took and how
// many of them failed.
func callConcurrently(calls int, call func() error) (took time.Duration, failed int64) {
	var left, errs atomic.Int64
	left.Store(int64(calls))
	began := time.Now()
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if call() != nil {
					errs.Add(1)
				}
			}
		})
	}
	group.Wait()
	return time.Since(began), errs.Load()
}

func TestRateLimit_Learned(t *testing.T) {
	const calls, perSecond, burst = 1500, 50, 10
	tests := []struct {
		name    string
		limiter whozex.Limiter
		reach   float64 // of the server's rate
		refused float64 // of the responses
	}{
		{name: "nothing configured", reach: 0.88, refused: 0.01},
		{name: "limiter below the limit", limiter: rate.NewLimiter(0.95*perSecond, 1), reach: 0.93, refused: 0},
		{name: "limiter at the limit", limiter: rate.NewLimiter(perSecond, burst), reach: 0.75, refused: 0.03},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &limited{admit: bucketOf(perSecond, burst)}
				var opts []whozex.Option
				if test.limiter != nil {
					opts = append(opts, whozex.WithLimiter(test.limiter))
				}
				took, failed := callConcurrently(calls, reportingLimit(t, server, opts...))
				reached := calls / took.Seconds() / perSecond
				t.Logf("%.0f%% of the rate, %.1f%% refused", 100*reached, 100*float64(server.refused)/calls)
				assert.Zero(t, failed)
				assert.GreaterOrEqual(t, reached, test.reach)
				assert.LessOrEqual(t, float64(server.refused)/calls, test.refused)
			})
		})
	}
}

// TestRateLimit_WaitingCallers uses a server whose refusals arrive before its other
// responses: the client first learns a rate near zero, and calls that wait by that rate
// must not continue to once it is corrected.
func TestRateLimit_WaitingCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls, perSecond = 300, 50
		server := &limited{admit: bucketOf(perSecond, 10), work: 20 * time.Millisecond}
		took, failed := callConcurrently(calls, reportingLimit(t, server))
		reached := calls / took.Seconds() / perSecond
		t.Logf("%.0f%% of the rate, %.1f%% refused", 100*reached, 100*float64(server.refused)/calls)
		assert.Zero(t, failed)
		assert.GreaterOrEqual(t, reached, 0.55)
	})
}

// TestRateLimit_FixedWindows uses servers with fixed windows, where a client that simply
// waits and retries does well.
func TestRateLimit_FixedWindows(t *testing.T) {
	t.Parallel()
	const calls = 1500
	for _, window := range []struct {
		most int
		per  time.Duration
	}{{50, time.Second}, {20, time.Second}, {10, time.Second}, {100, 10 * time.Second}, {600, time.Minute}} {
		t.Run(fmt.Sprintf("%d in %s", window.most, window.per), func(t *testing.T) {
			run := func(t *testing.T, doer func(*testing.T, *limited) func() error) (took time.Duration, refused int) {
				synctest.Test(t, func(t *testing.T) {
					server := &limited{admit: windowOf(window.most, window.per)}
					var failed int64
					took, failed = callConcurrently(calls, doer(t, server))
					assert.Zero(t, failed)
					refused = server.refused
				})
				return took, refused
			}
			ours, refused := run(t, func(t *testing.T, server *limited) func() error { return reportingLimit(t, server) })
			theirs, theirRefused := run(t, func(_ *testing.T, server *limited) func() error {
				client := retryablehttp.NewClient()
				client.Logger = nil
				client.HTTPClient = &http.Client{Transport: server}
				return func() error {
					resp, err := client.Get("http://example.com")
					if err == nil {
						err = resp.Body.Close()
					}
					return err
				}
			})
			t.Logf("%.3f of the time, %d refused against %d", ours.Seconds()/theirs.Seconds(), refused, theirRefused)
			assert.LessOrEqual(t, ours.Seconds(), theirs.Seconds()/0.6)
			assert.Less(t, refused, theirRefused)
		})
	}
}

func reportingLimit(t *testing.T, server http.RoundTripper, opts ...whozex.Option) func() error {
	client, err := whozex.New("wx_live_example", append(opts, whozex.WithHTTPClient(&http.Client{Transport: server}))...)
	assert.NoError(t, err)
	return func() error {
		_, err := client.CalculatePrice(t.Context(), 1)
		return err
	}
}
