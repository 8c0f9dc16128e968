package whozex_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// roundTrip makes a function a transport; for tests whose clock is virtual.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func reply(req *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

func over(t *testing.T, f roundTrip, opts ...whozex.Option) *whozex.Client {
	t.Helper()
	client, err := whozex.New(testKey, append(opts, whozex.WithHTTPClient(&http.Client{Transport: f}))...)
	require.NoError(t, err)
	return client
}

func TestRetry_RetryAfter(t *testing.T) {
	in := func(d time.Duration) func() string {
		return func() string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	}
	is := func(s string) func() string { return func() string { return s } }
	const backoff = time.Second
	tests := []struct {
		name     string
		status   int
		header   func() string
		min, max time.Duration
	}{
		{"seconds", 429, is("3"), 3 * time.Second, 3 * time.Second},
		{"seconds of a read that failed", 503, is("3"), 3 * time.Second, 3 * time.Second},
		{"date", 429, in(5 * time.Second), 5 * time.Second, 5 * time.Second},
		{"date past", 429, in(-5 * time.Second), 0, backoff},
		{"zero", 429, is("0"), 0, backoff},
		{"absent", 429, is(""), 0, backoff},
		{"negative", 429, is("-5"), 0, backoff},
		{"a fraction", 429, is("1.5"), 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"a fraction of a read that failed", 503, is("1.5"), 1500 * time.Millisecond, 1500 * time.Millisecond},
		{"seconds since 1970", 429, func() string { return strconv.FormatInt(time.Now().Add(5*time.Second).Unix(), 10) }, 5 * time.Second, 5 * time.Second},
		{"milliseconds since 1970", 503, func() string { return strconv.FormatInt(time.Now().Add(5*time.Second).UnixMilli(), 10) }, 5 * time.Second, 5 * time.Second},
		{"infinite", 429, is("Inf"), 0, backoff},
		{"no number", 429, is("NaN"), 0, backoff},
		{"text", 429, is("soon"), 0, backoff},
		{"above the cap", 429, is("999999999"), whozex.DefaultMaxRetryAfter, whozex.DefaultMaxRetryAfter},
		{"above the cap after 503", 503, is("999999999"), whozex.DefaultMaxRetryAfter, whozex.DefaultMaxRetryAfter},
		{"overflow", 429, is("9223372036854775807"), whozex.DefaultMaxRetryAfter, whozex.DefaultMaxRetryAfter},
		{"longer than any number", 429, is(strings.Repeat("9", 300)), whozex.DefaultMaxRetryAfter, whozex.DefaultMaxRetryAfter},
		{"date in a century", 429, is("Fri, 01 Jan 2100 00:00:00 GMT"), whozex.DefaultMaxRetryAfter, whozex.DefaultMaxRetryAfter},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent []time.Time
				client := over(t, func(req *http.Request) (*http.Response, error) {
					sent = append(sent, time.Now())
					if len(sent) > 1 {
						return reply(req, 200, ok(everything)), nil
					}
					return reply(req, test.status, "", "Retry-After", test.header()), nil
				}, whozex.WithBackoff(backoff, backoff))
				_, err := client.GetAccount(t.Context())
				require.NoError(t, err)
				require.Len(t, sent, 2)
				waited := sent[1].Sub(sent[0])
				assert.GreaterOrEqual(t, waited, test.min)
				assert.LessOrEqual(t, waited, test.max)
			})
		})
	}
}

func TestRetry_Backoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Time
		client := over(t, func(req *http.Request) (*http.Response, error) {
			sent = append(sent, time.Now())
			return reply(req, 500, ""), nil
		}, whozex.WithBackoff(time.Second, 3*time.Second), whozex.WithMaxRetries(3))
		ceilings := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
		var low, high int
		for range 100 {
			sent = sent[:0]
			_, err := client.GetAccount(t.Context())
			require.ErrorIs(t, err, whozex.ErrServer)
			require.Len(t, sent, 4)
			for i, ceiling := range ceilings {
				waited := sent[i+1].Sub(sent[i])
				require.Less(t, waited, ceiling)
				if waited < ceiling/4 {
					low++
				}
				if waited > ceiling*3/4 {
					high++
				}
			}
		}
		assert.Greater(t, low, 20)
		assert.Greater(t, high, 20)
	})
}

func TestRateLimit_OnePauseForAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sent []time.Time
		client := over(t, func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			sent = append(sent, time.Now())
			first := len(sent) == 1
			mu.Unlock()
			if first {
				return reply(req, 429, "", "Retry-After", "7"), nil
			}
			return reply(req, 200, ok(everything)), nil
		})
		began := time.Now()
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // of a virtual clock
				_, err := client.GetAccount(t.Context())
				assert.NoError(t, err)
			})
		}
		group.Wait()
		require.Len(t, sent, 11)
		assert.GreaterOrEqual(t, sent[1].Sub(began), 7*time.Second)
	})
}

func TestRateLimit_Recovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{admit: bucketOf(10, 5)}
		quote := reportingLimit(t, server)
		took, failed := callConcurrently(200, quote)
		require.Zero(t, failed)
		require.Greater(t, took, 15*time.Second)
		server.admit = func(time.Time) (int, bool) { return 0, true }
		for began := time.Now(); time.Since(began) < time.Minute; {
			require.NoError(t, quote())
			time.Sleep(50 * time.Millisecond) // of a virtual clock
		}
		took, failed = callConcurrently(1600, quote)
		assert.Zero(t, failed)
		assert.Less(t, took, time.Second, "1,600 calls of 2 ms from 16 goroutines")
	})
}
