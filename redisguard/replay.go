package redisguard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/whozex/whozex-go/webhookverify"
)

// ErrLeaseLost means that handling an event took longer than [WithLease] and that
// another receiver began it in the meantime: the event was or is handled twice.
var ErrLeaseLost = errors.New("redisguard: the lease ended before the event was handled")

// ReplayStore is a webhookverify.ReplayStore shared by all processes that use the
// same Redis and the same name. Create one in each process with [NewReplayStore].
// It is safe for concurrent use.
//
// An event is handled once, except in these cases:
//
//   - a receiver dies after it has handled the event and before Commit;
//   - a handler takes longer than [WithLease];
//   - Redis is down for longer than [WithCommitTimeout] during Commit, or loses
//     its data;
//   - the event is redelivered after [WithTTL].
//
// The event is then handled again; it is never lost. If handling it twice would
// do harm, make the handler idempotent, for instance with a unique column for the
// event's ID.
type ReplayStore struct {
	rdb           redis.UniversalClient
	prefix        string
	timeout       time.Duration
	lease         time.Duration
	ttl           time.Duration
	commitTimeout time.Duration
	local         webhookverify.ReplayStore
	outage        outage // for its hook alone: each event asks Redis

	mu     sync.Mutex
	claims map[string]claim // the events in progress in this process
}

type claim struct {
	token     string
	localOnly bool // Redis was down, and only the local store has the claim
}

// NewReplayStore returns a store that uses rdb, which the caller closes.
// NewReplayStore does not connect to Redis, so a process can start before Redis
// does.
func NewReplayStore(rdb redis.UniversalClient, opts ...Option) (*ReplayStore, error) {
	s, err := configure(forReplay, opts)
	if err != nil {
		return nil, err
	}
	if rdb == nil {
		return nil, errors.New("redisguard: NewReplayStore: no Redis client")
	}
	return &ReplayStore{
		rdb:           rdb,
		prefix:        s.name + ":event:",
		timeout:       s.timeout,
		lease:         s.lease,
		ttl:           s.ttl,
		commitTimeout: s.commitTimeout,
		local:         s.local,
		outage:        outage{hook: s.onOutage},
		claims:        map[string]claim{},
	}, nil
}

// The value of a key is "running:" or "done:" and the token of its claim. The Redis
// client retries a script when the connection breaks, so each script treats a
// value with its own token as its own earlier success.
var (
	beginScript = redis.NewScript(`
local state = redis.call("GET", KEYS[1])
if not state then
  redis.call("SET", KEYS[1], "running:" .. ARGV[1], "PX", ARGV[2])
  return "claimed"
end
if state == "running:" .. ARGV[1] then return "claimed" end
if string.sub(state, 1, 5) == "done:" then return "done" end
return "running"`)

	// A claim can be missing because its lease expired or Redis restarted. If no
	// other receiver has begun the event, it is committed all the same.
	commitScript = redis.NewScript(`
local state = redis.call("GET", KEYS[1])
if state and state ~= "running:" .. ARGV[1] and state ~= "done:" .. ARGV[1] then
  return "lost"
end
redis.call("SET", KEYS[1], "done:" .. ARGV[1], "PX", ARGV[2])
return "done"`)

	abortScript = redis.NewScript(`
if redis.call("GET", KEYS[1]) == "running:" .. ARGV[1] then
  redis.call("DEL", KEYS[1])
end
return "aborted"`)
)

// Begin implements webhookverify.ReplayStore. The claim lasts for [WithLease]. If
// the receiver dies, Begin returns webhookverify.ErrInProgress until the lease has
// expired, and a new claim after that.
//
// When Redis is down, Begin fails within [WithTimeout] with an error that matches
// [ErrUnavailable]. The event is not handled, and the sender receives a 503 and has
// to redeliver. With [WithLocalStore], the local store decides instead.
func (s *ReplayStore) Begin(ctx context.Context, id string) error {
	token := rand.Text()
	// This process is still handling the event, even if its lease has expired.
	if !s.claim(id, token) {
		return webhookverify.ErrInProgress
	}
	if err := s.begin(ctx, id, token); err != nil {
		s.forget(id)
		return err
	}
	return nil
}

func (s *ReplayStore) begin(ctx context.Context, id, token string) error {
	if s.local == nil {
		return s.beginShared(ctx, id, token)
	}
	if err := s.local.Begin(ctx, id); err != nil {
		return err
	}
	switch err := s.beginShared(ctx, id, token); {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnavailable):
		s.claimLocalOnly(id, token)
		return nil
	default:
		return errors.Join(err, s.local.Abort(context.WithoutCancel(ctx), id))
	}
}

func (s *ReplayStore) beginShared(ctx context.Context, id, token string) error {
	var state string
	err := s.call(ctx, func(ctx context.Context) (err error) {
		state, err = s.run(ctx, beginScript, id, token, s.lease)
		return err
	}, func() {
		// Redis may have stored the claim after all. If it stays, redeliveries
		// fail until the lease expires.
		if s.local == nil {
			s.release(id, token)
		}
	})
	switch {
	case err != nil:
		return err
	case state == "done":
		return webhookverify.ErrReplayed
	case state == "running":
		return webhookverify.ErrInProgress
	}
	return nil
}

// Commit implements webhookverify.ReplayStore. The event is remembered for
// [WithTTL].
//
// When Redis is down, Commit retries for [WithCommitTimeout], or tries only once if
// Redis was already down in Begin. It then returns an error that matches
// [ErrUnavailable], and a redelivery after the lease is handled again. The error is
// [ErrLeaseLost] if another receiver has begun the event in the meantime. Commit
// does not touch that receiver's claim.
func (s *ReplayStore) Commit(ctx context.Context, id string) error {
	c, ok := s.claimed(id)
	if !ok {
		return fmt.Errorf("redisguard: %s was not begun", id)
	}
	defer s.forget(id)
	var localErr error
	if s.local != nil {
		localErr = s.local.Commit(ctx, id)
	}
	deadline := time.Now()
	if !c.localOnly {
		deadline = deadline.Add(s.commitTimeout)
	}
	return errors.Join(localErr, s.commitShared(ctx, id, c.token, deadline))
}

func (s *ReplayStore) commitShared(ctx context.Context, id, token string, deadline time.Time) error {
	for wait := 25 * time.Millisecond; ; wait = min(2*wait, probeInterval) {
		var state string
		err := s.call(ctx, func(ctx context.Context) (err error) {
			state, err = s.run(ctx, commitScript, id, token, s.ttl)
			return err
		}, nil)
		switch {
		case err == nil && state == "lost":
			return fmt.Errorf("%w: %s", ErrLeaseLost, id)
		case !errors.Is(err, ErrUnavailable):
			return err
		case time.Now().Add(wait).After(deadline):
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// Abort implements webhookverify.ReplayStore. It releases only the claim of this
// store.
//
// When Redis is down, Abort fails within [WithTimeout] with an error that matches
// [ErrUnavailable], and the event can be begun again once its lease has expired.
func (s *ReplayStore) Abort(ctx context.Context, id string) error {
	c, ok := s.claimed(id)
	if !ok {
		return nil
	}
	defer s.forget(id)
	var localErr error
	if s.local != nil {
		localErr = s.local.Abort(ctx, id)
	}
	return errors.Join(localErr, s.call(ctx, func(ctx context.Context) error {
		return abortScript.Run(ctx, s.rdb, []string{s.prefix + id}, c.token).Err()
	}, nil))
}

// call calls Redis, see callWithTimeout.
func (s *ReplayStore) call(ctx context.Context, call func(context.Context) error, undo func()) error {
	err := callWithTimeout(ctx, s.timeout, call, undo)
	if err == nil || errors.Is(err, ErrUnavailable) {
		s.outage.record(err)
	}
	return err
}

func (s *ReplayStore) release(id, token string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	_ = abortScript.Run(ctx, s.rdb, []string{s.prefix + id}, token).Err()
}

func (s *ReplayStore) run(ctx context.Context, script *redis.Script, id, token string, d time.Duration) (string, error) {
	return script.Run(ctx, s.rdb, []string{s.prefix + id}, token, d.Milliseconds()).Text()
}

func (s *ReplayStore) claim(id, token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.claims[id]; ok {
		return false
	}
	s.claims[id] = claim{token: token}
	return true
}

func (s *ReplayStore) claimLocalOnly(id, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[id] = claim{token: token, localOnly: true}
}

func (s *ReplayStore) claimed(id string) (claim, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.claims[id]
	return c, ok
}

func (s *ReplayStore) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claims, id)
}
