package whozex_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// countingServer responds to every request after a while with the number of the request
// as a quote's total.
type countingServer struct {
	mu     sync.Mutex
	n      int
	status int
	body   string
	takes  time.Duration
}

func (c *countingServer) RoundTrip(req *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.n++
	status, body := 200, ok(fmt.Sprintf(`{"user_id":"u1","gb":20,"price_per_gb":0.90,"total":%d,"spending":{"all":%d}}`, c.n, c.n))
	if c.status != 0 {
		status, body = c.status, c.body
	}
	c.mu.Unlock()
	select {
	case <-time.After(c.takes):
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	return reply(req, status, body), nil
}

func total(t *testing.T, client *whozex.Client, gb int) int64 {
	t.Helper()
	quote, err := client.CalculatePrice(t.Context(), gb)
	require.NoError(t, err)
	return quote.Total.IntPart()
}

func TestCache_EqualReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := over(t, (&countingServer{}).RoundTrip, whozex.WithCache(time.Minute))
		assert.EqualValues(t, 1, total(t, client, 1))
		assert.EqualValues(t, 1, total(t, client, 1))
		assert.EqualValues(t, 2, total(t, client, 2), "another query")
		time.Sleep(time.Minute - time.Second) // of a virtual clock
		assert.EqualValues(t, 1, total(t, client, 1))
		time.Sleep(2 * time.Second) // of a virtual clock
		assert.EqualValues(t, 3, total(t, client, 1), "the ttl is over")

		var resp whozex.Response
		_, err := client.CalculatePrice(t.Context(), 1, whozex.CaptureResponse(&resp))
		require.NoError(t, err)
		assert.Zero(t, resp.Attempts)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Contains(t, string(resp.Body), `"total":3`)
	})
}

func TestCache_Off(t *testing.T) {
	client := over(t, (&countingServer{}).RoundTrip)
	assert.EqualValues(t, 1, total(t, client, 1))
	assert.EqualValues(t, 2, total(t, client, 1))
}

func TestCache_Coalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &countingServer{takes: time.Second}
		client := over(t, server.RoundTrip, whozex.WithCache(time.Minute))
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() { assert.EqualValues(t, 1, total(t, client, 1)) })
		}
		group.Wait()
		assert.Equal(t, 1, server.n)
	})
}

func TestCache_Copies(t *testing.T) {
	client := over(t, (&countingServer{}).RoundTrip, whozex.WithCache(time.Minute))
	stats, err := client.GetAccountStats(t.Context())
	require.NoError(t, err)
	require.Len(t, stats.Spending, 1)
	stats.Spending["all"] = dec("99")
	clear(stats.RawJSON())
	again, err := client.GetAccountStats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "1", again.Spending["all"].String())
	assert.Contains(t, string(again.RawJSON()), "total")
}

func TestCache_MutatingCallEmptiesIt(t *testing.T) {
	calls := map[string]func(*whozex.Client) error{
		"success": func(c *whozex.Client) error {
			_, err := c.AddBalance(t.Context(), "u", dec("1"), "")
			return err
		},
		"unknown route": func(c *whozex.Client) error {
			return c.Do(t.Context(), "DELETE", "/x", nil, nil, nil)
		},
		"new key": func(c *whozex.Client) error { return c.SetAPIKey("wx_live_other") },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			client := over(t, (&countingServer{}).RoundTrip, whozex.WithCache(time.Hour))
			before := total(t, client, 1)
			require.NoError(t, call(client))
			assert.Greater(t, total(t, client, 1), before)
		})
	}
	t.Run("failure", func(t *testing.T) {
		server := &countingServer{}
		client := over(t, server.RoundTrip, whozex.WithCache(time.Hour))
		before := total(t, client, 1)
		server.status = 500
		_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
		require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
		server.status = 0
		assert.Greater(t, total(t, client, 1), before)
	})
}

func TestCache_ReadDuringAMutatingCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &countingServer{takes: 10 * time.Second}
		client := over(t, server.RoundTrip, whozex.WithCache(time.Hour))
		var group sync.WaitGroup
		group.Go(func() { assert.EqualValues(t, 1, total(t, client, 1)) })
		time.Sleep(5 * time.Second) // of a virtual clock
		require.NoError(t, client.Do(t.Context(), "POST", "/x", nil, nil, nil))
		assert.EqualValues(t, 3, total(t, client, 1))
		group.Wait()
		assert.EqualValues(t, 3, total(t, client, 1))
	})
}

func TestCache_CancelOfOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &countingServer{takes: 10 * time.Second}
		client := over(t, server.RoundTrip, whozex.WithCache(time.Minute))
		ask := func(ctx context.Context) error {
			_, err := client.CalculatePrice(ctx, 1)
			return err
		}
		began := time.Now()
		var group sync.WaitGroup
		join := func(d time.Duration, check func(error)) {
			group.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(d, cancel)
				check(ask(ctx))
			})
			synctest.Wait()
		}
		join(2*time.Second, func(err error) {
			assert.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, 2*time.Second, time.Since(began), "who came first leaves")
		})
		join(time.Second, func(err error) {
			assert.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, time.Second, time.Since(began), "a follower leaves")
		})
		for range 5 {
			join(time.Hour, func(err error) {
				assert.NoError(t, err)
				assert.Equal(t, 12*time.Second, time.Since(began), "another took the request over")
			})
		}
		group.Wait()
		assert.Equal(t, 2, server.n)
	})
}

func TestCache_Failures(t *testing.T) {
	for name, failure := range map[string]*countingServer{
		"refused":    {status: 404, body: refusal("NOT_FOUND", "no")},
		"not done":   {status: 200, body: refusal("NOT_FOUND", testKey)},
		"unreadable": {status: 200, body: "<html>"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &countingServer{status: failure.status, body: failure.body, takes: time.Second}
				client := over(t, server.RoundTrip, whozex.WithCache(time.Hour))
				var group sync.WaitGroup
				for range 10 {
					group.Go(func() {
						_, err := client.CalculatePrice(t.Context(), 1)
						assert.Error(t, err)
						assert.NotContains(t, err.Error(), testKey)
						var unreadable *whozex.ResponseError
						assert.Equal(t, name == "unreadable", errors.As(err, &unreadable))
					})
				}
				group.Wait()
				assert.Equal(t, 1, server.n)
				server.status = 0
				assert.EqualValues(t, 2, total(t, client, 1))
			})
		})
	}
}

func TestCache_Bounds(t *testing.T) {
	t.Run("in number", func(t *testing.T) {
		server := &countingServer{}
		client := over(t, server.RoundTrip, whozex.WithCache(time.Hour))
		for gb := range 600 {
			total(t, client, gb+1)
		}
		assert.EqualValues(t, 600, total(t, client, 600))
		assert.EqualValues(t, 601, total(t, client, 1), "the oldest had to go")
	})
	t.Run("in size", func(t *testing.T) {
		server := &countingServer{status: 200, body: ok(`{"gb":20,"price_per_gb":0.90,"total":1,"x":"` + strings.Repeat("x", 128<<10) + `"}`)}
		client := over(t, server.RoundTrip, whozex.WithCache(time.Hour))
		total(t, client, 1)
		total(t, client, 1)
		assert.Equal(t, 2, server.n)
	})
}

func TestCache_ConcurrentReaders(t *testing.T) {
	for range 300 {
		var asked atomic.Int32
		client := over(t, func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			return reply(r, 200, ok(everything)), nil
		}, whozex.WithCache(time.Hour))
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				_, err := client.GetAccount(t.Context())
				assert.NoError(t, err)
			})
		}
		readers.Wait()
		require.EqualValues(t, 1, asked.Load())
	}
}
