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

// ErrLeaseLost means that an event took longer than [WithLease], and that it has
// been begun anew meanwhile: it is or was handled twice.
var ErrLeaseLost = errors.New("redisguard: the lease ended before the event was handled")

// ReplayStore is a webhookverify.ReplayStore that all processes with the same
// Redis and name share. Make one with [NewReplayStore], one a process; it is
// safe for concurrent use.
//
// An event is handled once, with these exceptions: a receiver dies after it did
// the event's work and before Commit; a handler outlives [WithLease]; Redis is
// away for longer than [WithCommitTimeout] just then, or forgets what it was
// told; or the event comes again after [WithTTL]. In each of them it is handled
// again, and never lost: where twice would hurt, let the work itself tell, for
// instance by a unique column for the event's ID.
type ReplayStore struct {
	rdb           redis.UniversalClient
	prefix        string
	timeout       time.Duration
	lease         time.Duration
	ttl           time.Duration
	commitTimeout time.Duration
	local         webhookverify.ReplayStore

	mu     sync.Mutex
	claims map[string]claim // what this process is handling
}

type claim struct {
	token string
	// Redis was away, and the local store said yes.
	alone bool
}

// NewReplayStore returns a store on Redis. rdb stays the caller's. NewReplayStore
// does not talk to Redis, so a process may start before it.
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
		claims:        map[string]claim{},
	}, nil
}

// A key holds "running:" or "done:" and the token of whom it belongs to. The
// Redis client sends a script again when the connection breaks, so each takes
// its own token for its own work.
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

	// A claim that is gone, by its lease or by a restart of Redis, and that no
	// one has made anew, is none the less handled.
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

// Begin implements webhookverify.ReplayStore. The claim lasts for [WithLease]; an
// event whose receiver has died answers webhookverify.ErrInProgress until then,
// and can be begun again after.
//
// When Redis is away, the error matches [ErrUnavailable], within [WithTimeout]:
// the event is not handled, the sender is responded with 503 and has to come again.
// With [WithLocalStore] the local store decides instead.
func (s *ReplayStore) Begin(ctx context.Context, id string) error {
	token := rand.Text()
	// This process lives, so what it has begun is being handled, lease or not.
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
		s.claimAlone(id, token)
		return nil
	default:
		return errors.Join(err, s.local.Abort(context.WithoutCancel(ctx), id))
	}
}

func (s *ReplayStore) beginShared(ctx context.Context, id, token string) error {
	var state string
	err := within(ctx, s.timeout, func(ctx context.Context) (err error) {
		state, err = s.run(ctx, beginScript, id, token, s.lease)
		return err
	}, func() {
		// Redis may have made the claim after all. Without this the sender is
		// put off until the lease ends.
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
// When Redis is away, Commit keeps trying for [WithCommitTimeout], but tries once
// only if Redis was away in Begin already. Then the error matches
// [ErrUnavailable], and the event is handled again if it is delivered again after
// the lease. The error is [ErrLeaseLost] when someone else has begun it meanwhile,
// whose claim is left alone.
func (s *ReplayStore) Commit(ctx context.Context, id string) error {
	c, ok := s.claimed(id)
	if !ok {
		return fmt.Errorf("redisguard: %s was not begun", id)
	}
	defer s.forget(id)
	var local error
	if s.local != nil {
		local = s.local.Commit(ctx, id)
	}
	giveUp := time.Now()
	if !c.alone {
		giveUp = giveUp.Add(s.commitTimeout)
	}
	return errors.Join(local, s.commitShared(ctx, id, c.token, giveUp))
}

func (s *ReplayStore) commitShared(ctx context.Context, id, token string, giveUp time.Time) error {
	for wait := 25 * time.Millisecond; ; wait = min(2*wait, probeEvery) {
		var state string
		err := within(ctx, s.timeout, func(ctx context.Context) (err error) {
			state, err = s.run(ctx, commitScript, id, token, s.ttl)
			return err
		}, nil)
		switch {
		case err == nil && state == "lost":
			return fmt.Errorf("%w: %s", ErrLeaseLost, id)
		case !errors.Is(err, ErrUnavailable):
			return err
		case time.Now().Add(wait).After(giveUp):
			return err
		}
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// Abort implements webhookverify.ReplayStore. It gives up no one else's claim.
//
// When Redis is away, the error matches [ErrUnavailable], within [WithTimeout], and
// the event can be begun again when its lease has ended.
func (s *ReplayStore) Abort(ctx context.Context, id string) error {
	c, ok := s.claimed(id)
	if !ok {
		return nil
	}
	defer s.forget(id)
	var local error
	if s.local != nil {
		local = s.local.Abort(ctx, id)
	}
	return errors.Join(local, within(ctx, s.timeout, func(ctx context.Context) error {
		return abortScript.Run(ctx, s.rdb, []string{s.prefix + id}, c.token).Err()
	}, nil))
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

func (s *ReplayStore) claimAlone(id, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[id] = claim{token: token, alone: true}
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
