package redisguard_test

import (
	"context"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/whozextest"
)

// patient is a long timeout, so that a busy machine does not look like an outage of Redis.
var patient = redisguard.WithTimeout(5 * time.Second)

var highLimit = redis_rate.Limit{Rate: 1000, Burst: 100, Period: time.Second}

func newLimiter(t *testing.T, r server, limit redis_rate.Limit, policy redisguard.Policy, opts ...redisguard.Option) *redisguard.Limiter {
	t.Helper()
	limiter, err := redisguard.NewLimiter(connect(t, r), limit, policy, opts...)
	require.NoError(t, err)
	return limiter
}

func contextWithTimeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestLimiter_SharedRate(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limit := redis_rate.Limit{Rate: 50, Burst: 5, Period: time.Second}
	start := time.Now()
	var group sync.WaitGroup
	for range 4 {
		limiter := newLimiter(t, r, limit, redisguard.FailClosed())
		for range 10 {
			group.Go(func() { assert.NoError(t, limiter.Wait(t.Context())) })
		}
	}
	group.Wait()
	// 40 requests with a burst of 5 take 35 intervals of 20 ms.
	assert.GreaterOrEqual(t, time.Since(start), 690*time.Millisecond)
}

func TestLimiter_WaitExceedsDeadline(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limiter := newLimiter(t, r, redis_rate.Limit{Rate: 1, Burst: 1, Period: time.Minute}, redisguard.FailClosed())
	require.NoError(t, limiter.Wait(t.Context()))

	ctx := contextWithTimeout(t, 30*time.Second)
	began := time.Now()
	require.ErrorIs(t, limiter.Wait(ctx), context.DeadlineExceeded)
	assert.Less(t, time.Since(began), 5*time.Second)
	require.NoError(t, ctx.Err())

	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- limiter.Wait(ctx) }()
	cancel()
	assert.ErrorIs(t, <-waited, context.Canceled)
}

func TestLimiter_QueueExceedsDeadline(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limiter := newLimiter(t, r, redis_rate.Limit{Rate: 1, Burst: 1, Period: 10 * time.Second}, redisguard.FailClosed())
	require.NoError(t, limiter.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() { assert.ErrorIs(t, limiter.Wait(ctx), context.Canceled) })
	}
	late := contextWithTimeout(t, 30*time.Second)
	require.Eventually(t, func() bool {
		try, cancel := context.WithTimeout(late, 25*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- limiter.Wait(try) }()
		select {
		case err := <-done:
			return assert.ErrorIs(t, err, context.DeadlineExceeded) && try.Err() == nil
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}, 5*time.Second, 10*time.Millisecond)
	cancel()
	group.Wait()
}

func TestLimiter_TooManyRequestsPausesAll(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	srv := whozextest.NewServer()
	defer srv.Close()
	newClient := func() *whozex.Client {
		limiter := newLimiter(t, r, highLimit, redisguard.FailClosed())
		return srv.Client(whozex.WithLimiter(limiter), whozex.WithMaxRetries(0),
			whozex.WithHTTPClient(&http.Client{Transport: limiter.Transport(nil)}))
	}
	first, second := newClient(), newClient()
	_, err := second.GetPricing(t.Context())
	require.NoError(t, err)

	srv.Inject(whozex.OpGetAccount, whozextest.TooManyRequests("2"), 1)
	_, err = first.GetAccount(t.Context())
	require.ErrorIs(t, err, whozex.ErrRateLimited)
	pauseStart := time.Now()

	_, err = second.PurchasePackage(contextWithTimeout(t, time.Second), "usr_1", whozex.PurchasePackageParams{GB: 1, ProxyType: whozex.ProxyResidential})
	require.ErrorIs(t, err, whozex.ErrRateLimited)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Less(t, time.Since(pauseStart), time.Second, "it must not wait: the pause ends after the deadline")
	assert.Zero(t, srv.Requests(whozex.OpPurchasePackage))

	_, err = second.GetPricing(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(pauseStart), 1500*time.Millisecond)
}

func TestLimiter_PauseStopsWaitingCalls(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	slow := redis_rate.Limit{Rate: 5, Burst: 1, Period: time.Second}
	first := newLimiter(t, r, slow, redisguard.FailClosed(), patient)
	second := newLimiter(t, r, slow, redisguard.FailClosed(), patient, redisguard.WithMaxPause(time.Second))
	require.NoError(t, first.Wait(t.Context()))
	waited := make(chan error)
	began := time.Now()
	for range 3 {
		go func() { waited <- first.Wait(t.Context()) }()
	}
	// A pause of an hour is limited to the maximum, and a shorter one does not replace it.
	require.NoError(t, second.Pause(t.Context(), time.Hour))
	require.NoError(t, second.Pause(t.Context(), 10*time.Millisecond))
	left, err := connect(t, r).PTTL(t.Context(), "whozex:pause").Result()
	require.NoError(t, err)
	assert.Greater(t, left, 500*time.Millisecond)
	assert.LessOrEqual(t, left, time.Second)
	for range 3 {
		require.NoError(t, <-waited)
	}
	assert.GreaterOrEqual(t, time.Since(began), 990*time.Millisecond)
}

func TestLimiter_StoredPauseIsBounded(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	rdb := connect(t, r)
	require.NoError(t, rdb.Set(t.Context(), "whozex:pause", "429", time.Hour).Err())
	limiter := newLimiter(t, r, highLimit, redisguard.FailClosed(), redisguard.WithMaxPause(300*time.Millisecond))
	require.NoError(t, limiter.Wait(contextWithTimeout(t, 10*time.Second)))
}

func TestLimiter_RedisKilledAndRestarted(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	failOpen := newLimiter(t, r, highLimit, redisguard.FailOpen(rate.NewLimiter(100, 1)), redisguard.WithName("open"))
	failClosed := newLimiter(t, r, highLimit, redisguard.FailClosed())
	for range 2 {
		require.NoError(t, failOpen.Wait(t.Context()))
		require.NoError(t, failClosed.Wait(t.Context()))
		r.kill()

		err := failClosed.Wait(t.Context())
		require.ErrorIs(t, err, redisguard.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		began := time.Now()
		for range 100 {
			require.ErrorIs(t, failClosed.Wait(t.Context()), redisguard.ErrUnavailable)
		}
		assert.Less(t, time.Since(began), 5*time.Second, "failed calls must not wait for Redis")

		require.NoError(t, failOpen.Wait(t.Context()))
		began = time.Now()
		for range 50 {
			require.NoError(t, failOpen.Wait(t.Context()))
		}
		assert.GreaterOrEqual(t, time.Since(began), 480*time.Millisecond, "the local limit was not applied")
		require.ErrorIs(t, failOpen.Pause(t.Context(), time.Millisecond), redisguard.ErrUnavailable)

		r.restart()
		rdb := connect(t, r)
		require.NoError(t, rdb.FlushAll(t.Context()).Err())
		require.Eventually(t, func() bool { return failClosed.Wait(t.Context()) == nil },
			15*time.Second, 20*time.Millisecond)
		require.Eventually(t, func() bool {
			return failOpen.Wait(t.Context()) == nil && rdb.Exists(t.Context(), "rate:open").Val() == 1
		}, 15*time.Second, 20*time.Millisecond)
	}
}

func TestLimiter_FailClosedSendsNothing(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	srv := whozextest.NewServer()
	defer srv.Close()
	// The package documentation recommends these retries. By default go-redis
	// dials for longer than our timeout, so its error would not be known.
	rdb := redis.NewClient(&redis.Options{Addr: r.addr(), DialerRetries: 1, MaxRetries: 1})
	defer rdb.Close()
	limiter, err := redisguard.NewLimiter(rdb, highLimit, redisguard.FailClosed())
	require.NoError(t, err)
	client := srv.Client(whozex.WithLimiter(limiter))
	r.kill()
	_, err = client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@exhighLimit.com"})
	require.ErrorIs(t, err, redisguard.ErrUnavailable)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	// The error wraps that of the Redis client.
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.Empty(t, srv.RequestLog())
	r.restart()
	require.Eventually(t, func() bool {
		_, err := client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@exhighLimit.com"})
		return err == nil
	}, 15*time.Second, 20*time.Millisecond)
	assert.Equal(t, 1, srv.Commits(whozex.OpCreateUser))
}

func TestLimiterAndReplayStore_RedisHangs(t *testing.T) {
	t.Parallel()
	r, ok := startRedis(t).(*realRedis)
	if !ok {
		t.Skip("needs redis-server")
	}
	limiter := newLimiter(t, r, highLimit, redisguard.FailClosed())
	store := newStore(t, r)
	require.NoError(t, limiter.Wait(t.Context()))
	// The clients are connected now, so that the next commands reach Redis.
	require.NoError(t, store.Begin(t.Context(), "before"))
	r.freeze()
	began := time.Now()
	require.ErrorIs(t, limiter.Wait(t.Context()), redisguard.ErrUnavailable)
	require.ErrorIs(t, store.Begin(t.Context(), "a"), redisguard.ErrUnavailable)
	// go-redis by itself would wait four times for 3 seconds.
	assert.Less(t, time.Since(began), 2*time.Second)
	ctx := contextWithTimeout(t, 100*time.Millisecond)
	require.ErrorIs(t, store.Begin(ctx, "b"), context.DeadlineExceeded)
	require.NotErrorIs(t, limiter.Wait(t.Context()), context.DeadlineExceeded)
	r.thaw()
	require.Eventually(t, func() bool { return limiter.Wait(t.Context()) == nil }, 15*time.Second, 20*time.Millisecond)
	// Redis ran the queued commands when it continued. The store releases those
	// claims long before their lease ends.
	for _, id := range []string{"a", "b"} {
		require.Eventually(t, func() bool { return store.Begin(t.Context(), id) == nil }, 15*time.Second, 20*time.Millisecond)
	}
}

func TestNewLimiter_InvalidArguments(t *testing.T) {
	t.Parallel()
	rdb := connect(t, startRedis(t))
	failClosed := redisguard.FailClosed()
	for name, newLimiter := range map[string]func() (*redisguard.Limiter, error){
		"no Redis": func() (*redisguard.Limiter, error) { return redisguard.NewLimiter(nil, highLimit, failClosed) },
		"no limit": func() (*redisguard.Limiter, error) { return redisguard.NewLimiter(rdb, redis_rate.Limit{}, failClosed) },
		"no local limiter": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, highLimit, redisguard.FailOpen(nil))
		},
		"empty name": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, highLimit, failClosed, redisguard.WithName(""))
		},
		"zero timeout": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, highLimit, failClosed, redisguard.WithTimeout(0))
		},
		"option of another type": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, highLimit, failClosed, redisguard.WithLease(time.Second))
		},
		"local burst of zero": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, highLimit, redisguard.FailOpen(rate.NewLimiter(1, 0)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newLimiter()
			assert.ErrorContains(t, err, "redisguard: ")
		})
	}
}
