package redisguard

import (
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

// Defaults of [NewLimiter] and [NewReplayStore].
const (
	DefaultName          = "whozex"
	DefaultTimeout       = 250 * time.Millisecond
	DefaultMaxPause      = 60 * time.Second
	DefaultLease         = time.Minute
	DefaultTTL           = 7 * 24 * time.Hour
	DefaultCommitTimeout = 5 * time.Second
)

// Option changes a default of [NewLimiter] or [NewReplayStore], which refuse one
// that is not for them or makes no sense.
type Option func(*settings) error

type settings struct {
	kind          string
	name          string
	timeout       time.Duration
	maxPause      time.Duration
	lease         time.Duration
	ttl           time.Duration
	commitTimeout time.Duration
	local         webhookverify.ReplayStore
}

const (
	forLimiter = "NewLimiter"
	forReplay  = "NewReplayStore"
)

func configure(kind string, opts []Option) (*settings, error) {
	s := &settings{
		kind:          kind,
		name:          DefaultName,
		timeout:       DefaultTimeout,
		maxPause:      DefaultMaxPause,
		lease:         DefaultLease,
		ttl:           DefaultTTL,
		commitTimeout: DefaultCommitTimeout,
	}
	for _, opt := range opts {
		if err := opt(s); err != nil {
			return nil, fmt.Errorf("redisguard: %s: %w", kind, err)
		}
	}
	return s, nil
}

// WithName names the keys in Redis, [DefaultName] if not given: rate:NAME,
// NAME:pause and NAME:event:ID. Who shares one Redis between several API keys gives
// each a name of its own, all processes with the same key the same. The name is no
// secret: never the API key.
func WithName(name string) Option {
	return func(s *settings) error {
		if name == "" {
			return errors.New("empty name")
		}
		s.name = name
		return nil
	}
}

// WithTimeout bounds each wait for Redis, [DefaultTimeout] if not given. It holds
// whatever time-outs and retries the Redis client has of its own; a call given up
// ends by those in the background.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error { return s.duration("", "timeout", &s.timeout, d) }
}

// WithMaxPause bounds the pause after a 429, [DefaultMaxPause] if not given. For
// [NewLimiter].
func WithMaxPause(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forLimiter, "max pause", &s.maxPause, d) }
}

// WithLease sets how long an event may be in progress, [DefaultLease] if not
// given. For [NewReplayStore].
//
// When a receiver dies, its events can be handled by others once the lease is
// over. When a receiver lives but takes longer, they can too, and an event is
// handled twice: make the lease longer than any handler may take, and give
// handlers a time-out.
func WithLease(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forReplay, "lease", &s.lease, d) }
}

// WithTTL sets how long a handled event is remembered, [DefaultTTL] if not given.
// For [NewReplayStore].
func WithTTL(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forReplay, "ttl", &s.ttl, d) }
}

// WithCommitTimeout sets how long [ReplayStore.Commit] tries to reach a Redis
// that is away, [DefaultCommitTimeout] if not given. The response to the sender
// waits as long. For [NewReplayStore].
func WithCommitTimeout(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forReplay, "commit timeout", &s.commitTimeout, d) }
}

// WithLocalStore lets [ReplayStore] go on without Redis: each event passes local
// too, such as a webhookverify.NewMemoryReplayStore, and while Redis is away
// local alone decides. Then no event is refused, but one that is delivered to
// two processes is handled by both. Choose it when the sender may not come
// again after a 503, which the API does not document, and when handling an
// event twice does no harm. For [NewReplayStore].
func WithLocalStore(local webhookverify.ReplayStore) Option {
	return func(s *settings) error {
		if local == nil {
			return errors.New("no local store")
		}
		s.local = local
		return s.only(forReplay)
	}
}

func (s *settings) duration(kind, what string, dst *time.Duration, d time.Duration) error {
	// Redis counts in milliseconds; less would be no time at all.
	if d < time.Millisecond {
		return fmt.Errorf("%s must be at least 1ms, not %s", what, d)
	}
	*dst = d
	return s.only(kind)
}

func (s *settings) only(kind string) error {
	if kind != "" && kind != s.kind {
		return fmt.Errorf("an option for %s", kind)
	}
	return nil
}
