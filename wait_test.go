package whozex_test

import (
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
	"github.com/whozex/whozex-go/internal/faulttest"
)

type roundTrip = faulttest.RoundTrip

var reply = faulttest.Reply

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
		{name: "seconds", status: 429, header: is("3"), min: 3 * time.Second, max: 3 * time.Second},
		{name: "seconds of a read that failed", status: 503, header: is("3"), min: 3 * time.Second, max: 3 * time.Second},
		{name: "date", status: 429, header: in(5 * time.Second), min: 5 * time.Second, max: 5 * time.Second},
		{name: "date past", status: 429, header: in(-5 * time.Second), max: backoff},
		{name: "zero", status: 429, header: is("0"), max: backoff},
		{name: "absent", status: 429, header: is(""), max: backoff},
		{name: "negative", status: 429, header: is("-5"), max: backoff},
		{name: "a fraction", status: 429, header: is("1.5"), min: 1500 * time.Millisecond, max: 1500 * time.Millisecond},
		{name: "a fraction of a read that failed", status: 503, header: is("1.5"), min: 1500 * time.Millisecond, max: 1500 * time.Millisecond},
		{name: "seconds since 1970", status: 429, header: func() string { return strconv.FormatInt(time.Now().Add(5*time.Second).Unix(), 10) }, min: 5 * time.Second, max: 5 * time.Second},
		{name: "milliseconds since 1970", status: 503, header: func() string { return strconv.FormatInt(time.Now().Add(5*time.Second).UnixMilli(), 10) }, min: 5 * time.Second, max: 5 * time.Second},
		{name: "infinite", status: 429, header: is("Inf"), max: backoff},
		{name: "no number", status: 429, header: is("NaN"), max: backoff},
		{name: "text", status: 429, header: is("soon"), max: backoff},
		{name: "above the cap", status: 429, header: is("999999999"), min: whozex.DefaultMaxRetryAfter, max: whozex.DefaultMaxRetryAfter},
		{name: "above the cap after 503", status: 503, header: is("999999999"), min: whozex.DefaultMaxRetryAfter, max: whozex.DefaultMaxRetryAfter},
		{name: "overflow", status: 429, header: is("9223372036854775807"), min: whozex.DefaultMaxRetryAfter, max: whozex.DefaultMaxRetryAfter},
		{name: "longer than any number", status: 429, header: is(strings.Repeat("9", 300)), min: whozex.DefaultMaxRetryAfter, max: whozex.DefaultMaxRetryAfter},
		{name: "date in a century", status: 429, header: is("Fri, 01 Jan 2100 00:00:00 GMT"), min: whozex.DefaultMaxRetryAfter, max: whozex.DefaultMaxRetryAfter},
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
