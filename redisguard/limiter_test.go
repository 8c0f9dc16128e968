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

var ample = redis_rate.Limit{Rate: 1000, Burst: 100, Period: time.Second}

func newLimiter(t *testing.T, r server, limit redis_rate.Limit, policy redisguard.Policy, opts ...redisguard.Option) *redisguard.Limiter {
	t.Helper()
	limiter, err := redisguard.NewLimiter(connect(t, r), limit, policy, opts...)
	require.NoError(t, err)
	return limiter
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestLimitersShareTheRate(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limit := redis_rate.Limit{Rate: 50, Burst: 5, Period: time.Second}
	began := time.Now()
	var group sync.WaitGroup
	for range 4 {
		limiter := newLimiter(t, r, limit, redisguard.FailClosed())
		for range 10 {
			group.Go(func() { assert.NoError(t, limiter.Wait(t.Context())) })
		}
	}
	group.Wait()
	// 40 turns, 5 of them at once: 35 intervals of 20 ms.
	assert.GreaterOrEqual(t, time.Since(began), 690*time.Millisecond)
}

func TestWaitThatDoesNotFitTheDeadline(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limiter := newLimiter(t, r, redis_rate.Limit{Rate: 1, Burst: 1, Period: time.Minute}, redisguard.FailClosed())
	require.NoError(t, limiter.Wait(t.Context()))

	ctx := within(t, 30*time.Second)
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

func TestQueueThatDoesNotFitTheDeadline(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	limiter := newLimiter(t, r, redis_rate.Limit{Rate: 1, Burst: 1, Period: 10 * time.Second}, redisguard.FailClosed())
	require.NoError(t, limiter.Wait(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() { assert.ErrorIs(t, limiter.Wait(ctx), context.Canceled) })
	}
	late := within(t, 30*time.Second)
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

func TestOne429StopsAll(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	srv := whozextest.NewServer()
	defer srv.Close()
	newClient := func() *whozex.Client {
		limiter := newLimiter(t, r, ample, redisguard.FailClosed())
		return srv.Client(whozex.WithLimiter(limiter), whozex.WithMaxRetries(0),
			whozex.WithHTTPClient(&http.Client{Transport: limiter.Transport(nil)}))
	}
	one, other := newClient(), newClient()
	_, err := other.GetPricing(t.Context())
	require.NoError(t, err)

	srv.Inject(whozex.OpGetAccount, whozextest.TooManyRequests("2"), 1)
	_, err = one.GetAccount(t.Context())
	require.ErrorIs(t, err, whozex.ErrRateLimited)
	paused := time.Now()

	_, err = other.PurchasePackage(within(t, time.Second), "usr_1", whozex.PurchasePackageParams{GB: 1, ProxyType: whozex.ProxyResidential})
	require.ErrorIs(t, err, whozex.ErrRateLimited)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Less(t, time.Since(paused), time.Second, "it waited though it could not fit")
	assert.Zero(t, srv.Requests(whozex.OpPurchasePackage))

	_, err = other.GetPricing(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(paused), 1500*time.Millisecond)
}

func TestPauseReachesThoseWhoWait(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	slow := redis_rate.Limit{Rate: 5, Burst: 1, Period: time.Second}
	one := newLimiter(t, r, slow, redisguard.FailClosed())
	other := newLimiter(t, r, slow, redisguard.FailClosed(), redisguard.WithMaxPause(time.Second))
	require.NoError(t, one.Wait(t.Context()))
	waited := make(chan error)
	began := time.Now()
	for range 3 {
		go func() { waited <- one.Wait(t.Context()) }()
	}
	// An hour is cut to the bound, and a shorter pause does not shorten it.
	require.NoError(t, other.Pause(t.Context(), time.Hour))
	require.NoError(t, other.Pause(t.Context(), 10*time.Millisecond))
	left, err := connect(t, r).PTTL(t.Context(), "whozex:pause").Result()
	require.NoError(t, err)
	assert.Greater(t, left, 500*time.Millisecond)
	assert.LessOrEqual(t, left, time.Second)
	for range 3 {
		require.NoError(t, <-waited)
	}
	assert.GreaterOrEqual(t, time.Since(began), 990*time.Millisecond)
}

func TestPauseLongerThanAllowedIsCut(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	rdb := connect(t, r)
	require.NoError(t, rdb.Set(t.Context(), "whozex:pause", "429", time.Hour).Err())
	limiter := newLimiter(t, r, ample, redisguard.FailClosed(), redisguard.WithMaxPause(300*time.Millisecond))
	require.NoError(t, limiter.Wait(within(t, 10*time.Second)))
}

func TestRedisKilledAndRestarted(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	open := newLimiter(t, r, ample, redisguard.FailOpen(rate.NewLimiter(100, 1)), redisguard.WithName("open"))
	closed := newLimiter(t, r, ample, redisguard.FailClosed())
	for range 2 {
		require.NoError(t, open.Wait(t.Context()))
		require.NoError(t, closed.Wait(t.Context()))
		r.kill()

		err := closed.Wait(t.Context())
		require.ErrorIs(t, err, redisguard.ErrUnavailable)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		began := time.Now()
		for range 100 {
			require.ErrorIs(t, closed.Wait(t.Context()), redisguard.ErrUnavailable)
		}
		assert.Less(t, time.Since(began), 5*time.Second, "each refusal waited for Redis")

		require.NoError(t, open.Wait(t.Context()))
		began = time.Now()
		for range 50 {
			require.NoError(t, open.Wait(t.Context()))
		}
		assert.GreaterOrEqual(t, time.Since(began), 480*time.Millisecond, "the local limit does not hold")
		require.ErrorIs(t, open.Pause(t.Context(), time.Millisecond), redisguard.ErrUnavailable)

		r.restart()
		rdb := connect(t, r)
		require.NoError(t, rdb.FlushAll(t.Context()).Err())
		require.Eventually(t, func() bool { return closed.Wait(t.Context()) == nil },
			15*time.Second, 20*time.Millisecond)
		require.Eventually(t, func() bool {
			return open.Wait(t.Context()) == nil && rdb.Exists(t.Context(), "rate:open").Val() == 1
		}, 15*time.Second, 20*time.Millisecond)
	}
}

func TestRefusedSpendIsNoSpend(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	srv := whozextest.NewServer()
	defer srv.Close()
	// As the package's doc advises: by default go-redis dials for longer than we
	// wait, and has not said yet what is wrong.
	rdb := redis.NewClient(&redis.Options{Addr: r.addr(), DialerRetries: 1, MaxRetries: 1})
	defer rdb.Close()
	limiter, err := redisguard.NewLimiter(rdb, ample, redisguard.FailClosed())
	require.NoError(t, err)
	client := srv.Client(whozex.WithLimiter(limiter))
	r.kill()
	_, err = client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@example.com"})
	require.ErrorIs(t, err, redisguard.ErrUnavailable)
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	// What Redis said is still there.
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	assert.Empty(t, srv.RequestLog())
	r.restart()
	require.Eventually(t, func() bool {
		_, err := client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@example.com"})
		return err == nil
	}, 15*time.Second, 20*time.Millisecond)
	assert.Equal(t, 1, srv.Commits(whozex.OpCreateUser))
}

func TestRedisThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r, ok := startRedis(t).(*realRedis)
	if !ok {
		t.Skip("needs redis-server")
	}
	limiter := newLimiter(t, r, ample, redisguard.FailClosed())
	store := newStore(t, r)
	require.NoError(t, limiter.Wait(t.Context()))
	// The connections are there already, so that what is asked reaches Redis.
	require.NoError(t, store.Begin(t.Context(), "before"))
	r.freeze()
	began := time.Now()
	require.ErrorIs(t, limiter.Wait(t.Context()), redisguard.ErrUnavailable)
	require.ErrorIs(t, store.Begin(t.Context(), "a"), redisguard.ErrUnavailable)
	// go-redis alone would wait for 3 seconds, four times.
	assert.Less(t, time.Since(began), 2*time.Second)
	ctx := within(t, 100*time.Millisecond)
	require.ErrorIs(t, store.Begin(ctx, "b"), context.DeadlineExceeded)
	require.NotErrorIs(t, limiter.Wait(t.Context()), context.DeadlineExceeded)
	r.thaw()
	require.Eventually(t, func() bool { return limiter.Wait(t.Context()) == nil }, 15*time.Second, 20*time.Millisecond)
	// Redis made the claims when it came back; they are taken back long before
	// their lease ends.
	for _, id := range []string{"a", "b"} {
		require.Eventually(t, func() bool { return store.Begin(t.Context(), id) == nil }, 15*time.Second, 20*time.Millisecond)
	}
}

func TestBadLimiters(t *testing.T) {
	t.Parallel()
	rdb := connect(t, startRedis(t))
	closed := redisguard.FailClosed()
	for name, make := range map[string]func() (*redisguard.Limiter, error){
		"no Redis": func() (*redisguard.Limiter, error) { return redisguard.NewLimiter(nil, ample, closed) },
		"no limit": func() (*redisguard.Limiter, error) { return redisguard.NewLimiter(rdb, redis_rate.Limit{}, closed) },
		"no local": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, ample, redisguard.FailOpen(nil))
		},
		"no name": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, ample, closed, redisguard.WithName(""))
		},
		"no time": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, ample, closed, redisguard.WithTimeout(0))
		},
		"not its own": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, ample, closed, redisguard.WithLease(time.Second))
		},
		"no local room": func() (*redisguard.Limiter, error) {
			return redisguard.NewLimiter(rdb, ample, redisguard.FailOpen(rate.NewLimiter(1, 0)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := make()
			assert.ErrorContains(t, err, "redisguard: ")
		})
	}
}
