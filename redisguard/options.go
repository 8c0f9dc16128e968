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

// Option changes a default of [NewLimiter] or [NewReplayStore]. Both return an
// error if an option is invalid or not meant for them.
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
	onOutage      func(error)
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

// WithName sets the name used in the Redis keys rate:NAME, NAME:pause and
// NAME:event:ID. The default is [DefaultName]. Processes with the same API key need
// the same name; if several API keys share one Redis, each needs a different one.
// The name is not secret, so do not use the API key.
func WithName(name string) Option {
	return func(s *settings) error {
		if name == "" {
			return errors.New("empty name")
		}
		s.name = name
		return nil
	}
}

// WithTimeout sets the longest wait for Redis in one call. The default is
// [DefaultTimeout]. It applies in addition to the timeouts and retries of the Redis
// client: a call that takes longer finishes in the background.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error { return s.duration("", "timeout", &s.timeout, d) }
}

// WithMaxPause sets the longest pause after a 429. The default is
// [DefaultMaxPause]. It is an option of [NewLimiter].
func WithMaxPause(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forLimiter, "max pause", &s.maxPause, d) }
}

// WithLease sets how long an event may be in progress. The default is
// [DefaultLease]. It is an option of [NewReplayStore].
//
// When a receiver dies, other receivers can handle its events once the lease has
// expired. If a receiver is only slow, they can too, and the event is handled
// twice. Give handlers a timeout, and make the lease longer than that.
func WithLease(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forReplay, "lease", &s.lease, d) }
}

// WithTTL sets how long a handled event is remembered. The default is
// [DefaultTTL]. It is an option of [NewReplayStore].
func WithTTL(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forReplay, "ttl", &s.ttl, d) }
}

// WithCommitTimeout sets how long [ReplayStore.Commit] retries while Redis is
// down. The default is [DefaultCommitTimeout]. The response to the sender is delayed
// by as much. It is an option of [NewReplayStore].
func WithCommitTimeout(d time.Duration) Option {
	return func(s *settings) error { return s.duration(forReplay, "commit timeout", &s.commitTimeout, d) }
}

// WithLocalStore lets a [ReplayStore] work without Redis. Each event is also
// recorded in local, for instance a webhookverify.MemoryReplayStore, and while
// Redis is down local alone decides. No event is refused then, but an event
// delivered to two processes is handled by both. Use it if handling an event twice
// does no harm: the API does not document whether it redelivers after a 503. It
// is an option of [NewReplayStore].
func WithLocalStore(local webhookverify.ReplayStore) Option {
	return func(s *settings) error {
		if local == nil {
			return errors.New("no local store")
		}
		s.local = local
		return s.only(forReplay)
	}
}

// WithOnOutage calls changed with an error that matches [ErrUnavailable] when Redis goes
// down, and with nil when it is back. Use it for a log or a metric, such as that of
// otelwhozex.ReportOutages. A call waits for it; it must not use the limiter or the store.
func WithOnOutage(changed func(error)) Option {
	return func(s *settings) error {
		if changed == nil {
			return errors.New("no function")
		}
		s.onOutage = changed
		return nil
	}
}

func (s *settings) duration(kind, what string, dst *time.Duration, d time.Duration) error {
	// Redis uses milliseconds: anything shorter would be zero.
	if d < time.Millisecond {
		return fmt.Errorf("%s must be at least 1ms, not %s", what, d)
	}
	*dst = d
	return s.only(kind)
}

func (s *settings) only(kind string) error {
	if kind != "" && kind != s.kind {
		return fmt.Errorf("this is an option of %s", kind)
	}
	return nil
}
