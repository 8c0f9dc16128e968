package redisguard_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/redisguard"
)

// recorder records the arguments of all Redis commands.
type recorder struct {
	mu   sync.Mutex
	args []string
}

func (r *recorder) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (r *recorder) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.mu.Lock()
		for _, arg := range cmd.Args() {
			r.args = append(r.args, fmt.Sprint(arg))
		}
		r.mu.Unlock()
		return next(ctx, cmd)
	}
}

func (r *recorder) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// Replicas may have different clocks, so they send durations to Redis and never
// a time of day.
func TestRedisCommands_NoTimestamps(t *testing.T) {
	t.Parallel()
	rdb := connect(t, startRedis(t))
	commands := new(recorder)
	rdb.AddHook(commands)
	limiter, err := redisguard.NewLimiter(rdb, highLimit, redisguard.FailClosed())
	require.NoError(t, err)
	store, err := redisguard.NewReplayStore(rdb)
	require.NoError(t, err)
	ctx := t.Context()
	require.NoError(t, limiter.Wait(ctx))
	require.NoError(t, limiter.Pause(ctx, 10*time.Millisecond))
	require.NoError(t, limiter.Wait(ctx))
	require.NoError(t, store.Begin(ctx, "a"))
	require.NoError(t, store.Abort(ctx, "a"))
	require.NoError(t, store.Begin(ctx, "a"))
	require.NoError(t, store.Commit(ctx, "a"))

	require.Greater(t, len(commands.args), 30)
	now := time.Now()
	for _, arg := range commands.args {
		n, err := strconv.ParseFloat(arg, 64)
		if err != nil {
			continue
		}
		for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond, time.Nanosecond} {
			clock := float64(now.UnixNano()) / float64(unit)
			assert.False(t, n > clock*0.9 && n < clock*1.1, "%s is a time of day", arg)
		}
	}
}

// If the clock of Redis is set back, or Redis moves to a machine whose clock is
// behind, the stored times lie in the future.
func TestLimiter_RedisClockSetBack(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	rdb := connect(t, r)
	limiter := newLimiter(t, r, highLimit, redisguard.FailClosed())
	require.NoError(t, limiter.Wait(t.Context()))
	tat, err := rdb.Get(t.Context(), "rate:whozex").Float64()
	require.NoError(t, err)
	require.NoError(t, rdb.Set(t.Context(), "rate:whozex", tat+3600, time.Hour).Err())
	require.NoError(t, limiter.Wait(contextWithTimeout(t, 10*time.Second)))
}
