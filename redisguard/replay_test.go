package redisguard_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/webhookverify"
)

var _ webhookverify.ReplayStore = (*redisguard.ReplayStore)(nil)

func newStore(t *testing.T, r server, opts ...redisguard.Option) *redisguard.ReplayStore {
	t.Helper()
	store, err := redisguard.NewReplayStore(connect(t, r), opts...)
	require.NoError(t, err)
	return store
}

func TestReplayStore(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	first, second := newStore(t, r), newStore(t, r)
	ctx := t.Context()

	require.NoError(t, first.Begin(ctx, "a"))
	require.ErrorIs(t, first.Begin(ctx, "a"), webhookverify.ErrInProgress)
	require.ErrorIs(t, second.Begin(ctx, "a"), webhookverify.ErrInProgress)
	require.NoError(t, second.Abort(ctx, "a"), "aborting another store's claim has no effect")
	require.Error(t, second.Commit(ctx, "a"))
	require.ErrorIs(t, second.Begin(ctx, "a"), webhookverify.ErrInProgress)

	require.NoError(t, first.Abort(ctx, "a"))
	require.NoError(t, second.Begin(ctx, "a"))
	require.NoError(t, second.Commit(ctx, "a"))
	require.ErrorIs(t, first.Begin(ctx, "a"), webhookverify.ErrReplayed)
	require.ErrorIs(t, second.Begin(ctx, "a"), webhookverify.ErrReplayed)
	require.NoError(t, second.Begin(ctx, "b"))
}

func TestReplayStore_TTL(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	store := newStore(t, r, redisguard.WithTTL(200*time.Millisecond))
	require.NoError(t, store.Begin(t.Context(), "a"))
	require.NoError(t, store.Commit(t.Context(), "a"))
	require.ErrorIs(t, store.Begin(t.Context(), "a"), webhookverify.ErrReplayed)
	require.Eventually(t, func() bool { return store.Begin(t.Context(), "a") == nil }, 5*time.Second, 10*time.Millisecond)
}

func TestReplayStore_LeaseLost(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	ctx := t.Context()
	slow, other := newStore(t, r, redisguard.WithLease(100*time.Millisecond)), newStore(t, r)
	for _, id := range []string{"committed", "aborted", "unclaimed"} {
		require.NoError(t, slow.Begin(ctx, id))
	}
	rdb := connect(t, r)
	require.Eventually(t, func() bool { return rdb.DBSize(ctx).Val() == 0 }, 5*time.Second, 10*time.Millisecond)
	require.ErrorIs(t, slow.Begin(ctx, "committed"), webhookverify.ErrInProgress, "this store is still handling it")
	require.NoError(t, other.Begin(ctx, "committed"))
	require.NoError(t, other.Begin(ctx, "aborted"))

	require.ErrorIs(t, slow.Commit(ctx, "committed"), redisguard.ErrLeaseLost)
	require.NoError(t, slow.Abort(ctx, "aborted"))
	third := newStore(t, r)
	require.ErrorIs(t, third.Begin(ctx, "committed"), webhookverify.ErrInProgress)
	require.ErrorIs(t, third.Begin(ctx, "aborted"), webhookverify.ErrInProgress)

	require.NoError(t, slow.Commit(ctx, "unclaimed"), "the lease has expired, but no other store has begun the event")
	require.ErrorIs(t, third.Begin(ctx, "unclaimed"), webhookverify.ErrReplayed)
}

func TestReplayStore_RedisDown(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	ctx := t.Context()
	store := newStore(t, r, redisguard.WithCommitTimeout(10*time.Second))
	impatient := newStore(t, r, redisguard.WithCommitTimeout(time.Millisecond))
	require.NoError(t, store.Begin(ctx, "retried"))
	require.NoError(t, impatient.Begin(ctx, "not retried"))
	require.NoError(t, impatient.Begin(ctx, "aborted"))
	r.kill()

	require.ErrorIs(t, store.Begin(ctx, "a"), redisguard.ErrUnavailable)
	require.ErrorIs(t, impatient.Commit(ctx, "not retried"), redisguard.ErrUnavailable)
	require.ErrorIs(t, impatient.Abort(ctx, "aborted"), redisguard.ErrUnavailable)
	committed := make(chan error)
	go func() { committed <- store.Commit(ctx, "retried") }()
	// Redis is down for longer than the timeout of one attempt.
	time.Sleep(2 * redisguard.DefaultTimeout)
	r.restart()
	require.NoError(t, <-committed)
	require.ErrorIs(t, impatient.Begin(ctx, "retried"), webhookverify.ErrReplayed)
	require.Eventually(t, func() bool { return store.Begin(ctx, "a") == nil }, 15*time.Second, 20*time.Millisecond)
}

func TestReplayStore_LocalStore(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	ctx := t.Context()
	store := newStore(t, r,
		redisguard.WithLocalStore(webhookverify.NewMemoryReplayStore(time.Hour, 100)))
	other := newStore(t, r)
	require.NoError(t, other.Begin(ctx, "other's"))
	require.ErrorIs(t, store.Begin(ctx, "other's"), webhookverify.ErrInProgress)
	require.NoError(t, other.Abort(ctx, "other's"))
	require.NoError(t, store.Begin(ctx, "other's"), "the local claim must be released too")
	r.kill()

	start := time.Now()
	require.NoError(t, store.Begin(ctx, "a"))
	require.ErrorIs(t, store.Begin(ctx, "a"), webhookverify.ErrInProgress)
	require.ErrorIs(t, store.Commit(ctx, "a"), redisguard.ErrUnavailable)
	assert.Less(t, time.Since(start), redisguard.DefaultCommitTimeout, "an event must not wait for Redis")
	require.ErrorIs(t, store.Begin(ctx, "a"), webhookverify.ErrReplayed)
	require.NoError(t, store.Begin(ctx, "b"))
	require.NoError(t, store.Begin(ctx, "c"))
	require.ErrorIs(t, store.Abort(ctx, "c"), redisguard.ErrUnavailable)
	r.restart()
	require.ErrorIs(t, store.Begin(ctx, "a"), webhookverify.ErrReplayed)
	require.NoError(t, store.Begin(ctx, "c"))
	rdb, attempt := connect(t, r), 0
	require.Eventually(t, func() bool {
		attempt++
		id := "again " + strconv.Itoa(attempt)
		return store.Begin(ctx, id) == nil && rdb.Exists(ctx, "whozex:event:"+id).Val() == 1
	}, 15*time.Second, 20*time.Millisecond)
	// An event begun without Redis is shared once it is committed with Redis.
	require.NoError(t, store.Commit(ctx, "b"))
	require.ErrorIs(t, other.Begin(ctx, "b"), webhookverify.ErrReplayed)
}

func TestNewReplayStore_InvalidArguments(t *testing.T) {
	t.Parallel()
	rdb := connect(t, startRedis(t))
	_, err := redisguard.NewReplayStore(nil)
	assert.ErrorContains(t, err, "no Redis client")
	for name, opt := range map[string]redisguard.Option{
		"lease":          redisguard.WithLease(0),
		"ttl":            redisguard.WithTTL(-time.Second),
		"commit timeout": redisguard.WithCommitTimeout(time.Nanosecond),
		"local store":    redisguard.WithLocalStore(nil),
		"NewLimiter":     redisguard.WithMaxPause(time.Second),
	} {
		_, err := redisguard.NewReplayStore(rdb, opt)
		assert.ErrorContains(t, err, name)
	}
}
