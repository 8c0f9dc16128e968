package inbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

// Defaults of [New].
const (
	DefaultWorkers    = 4
	DefaultAttempts   = 20
	DefaultMinBackoff = time.Second
	DefaultMaxBackoff = 10 * time.Minute
	DefaultTimeout    = time.Minute
	DefaultLease      = time.Minute
	DefaultPoll       = time.Second
)

// Option changes a default of [New]. New returns an error for an invalid value.
type Option func(*settings) error

type settings struct {
	workers    int
	attempts   int64
	minBackoff time.Duration
	maxBackoff time.Duration
	timeout    time.Duration
	lease      time.Duration
	poll       time.Duration
	retention  time.Duration // 0 means forever
	stream     func(*webhookverify.Event) string
	report     func(*webhookverify.Event, error)
	step       func(Step)
}

func defaults() settings {
	return settings{
		workers: DefaultWorkers, attempts: DefaultAttempts,
		minBackoff: DefaultMinBackoff, maxBackoff: DefaultMaxBackoff,
		timeout: DefaultTimeout, lease: DefaultLease, poll: DefaultPoll,
		stream: userOf,
		report: func(*webhookverify.Event, error) {},
		step:   func(Step) {},
	}
}

// WithWorkers sets how many events [Inbox.Run] handles at once, [DefaultWorkers]
// by default.
func WithWorkers(n int) Option {
	return func(s *settings) error {
		if n < 1 {
			return fmt.Errorf("workers must be at least 1, not %d", n)
		}
		s.workers = n
		return nil
	}
}

// WithAttempts sets the number of attempts after which an event is dead,
// [DefaultAttempts] by default.
func WithAttempts(n int) Option {
	return func(s *settings) error {
		if n < 1 {
			return fmt.Errorf("attempts must be at least 1, not %d", n)
		}
		s.attempts = int64(n)
		return nil
	}
}

// WithBackoff sets how long an event waits after its first failure, and the maximum;
// each failure doubles the wait. The defaults are [DefaultMinBackoff] and
// [DefaultMaxBackoff].
func WithBackoff(first, max time.Duration) Option {
	return func(s *settings) error {
		if first < time.Millisecond || max < first {
			return fmt.Errorf("invalid back-off from %s to %s", first, max)
		}
		s.minBackoff, s.maxBackoff = first, max
		return nil
	}
}

// WithTimeout sets the deadline of the context of each attempt, [DefaultTimeout] by
// default. If handlers respect their context, it also bounds how long [Inbox.Run]
// takes to return after its own context ended.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error { return positive("timeout", &s.timeout, d) }
}

// WithLease sets how long a claim lasts unless its worker renews it, [DefaultLease] by
// default. After that the worker counts as dead. A handler may take longer: its worker
// renews the lease.
func WithLease(d time.Duration) Option {
	return func(s *settings) error { return positive("lease", &s.lease, d) }
}

// WithPoll sets how often an idle worker looks for events that another process has
// received or whose back-off is over, [DefaultPoll] by default. An event that its own
// process receives wakes it at once.
func WithPoll(d time.Duration) Option {
	return func(s *settings) error { return positive("poll", &s.poll, d) }
}

// WithRetention makes [Inbox.Run] delete events that have been done for d, as
// [Inbox.Purge] does. Without it they are kept forever, to skip redeliveries. d should
// exceed the time in which the sender may redeliver, which the API does not document.
func WithRetention(d time.Duration) Option {
	return func(s *settings) error { return positive("retention", &s.retention, d) }
}

// WithStream takes an event's stream from stream instead of data.user_id. Events of
// one stream are handled in order; those with an empty stream are handled in any
// order.
func WithStream(stream func(*webhookverify.Event) string) Option {
	return func(s *settings) error {
		if stream == nil {
			return errors.New("the stream function is nil")
		}
		s.stream = stream
		return nil
	}
}

// WithErrorHandler passes the error of each failed attempt to report, for your log.
// The event is nil for an error of the database, which Run retries.
func WithErrorHandler(report func(*webhookverify.Event, error)) Option {
	return func(s *settings) error {
		if report == nil {
			return errors.New("the error handler is nil")
		}
		s.report = report
		return nil
	}
}

// Step is a step in the handling of an event, see [WithStepHook].
type Step string

// The steps, in order.
const (
	StepReceive Step = "receive" // the event is about to be committed
	StepStored  Step = "stored"  // it is committed, and about to be acknowledged
	StepClaimed Step = "claimed" // a worker has claimed it
	StepHandled Step = "handled" // the handler has returned
	StepMark    Step = "mark"    // its new state is written and about to be committed
	StepDone    Step = "done"    // its new state is committed
)

// WithStepHook calls hook at each step, for tests that kill the process there.
func WithStepHook(hook func(Step)) Option {
	return func(s *settings) error {
		if hook == nil {
			return errors.New("the step hook is nil")
		}
		s.step = hook
		return nil
	}
}

func positive(what string, dst *time.Duration, d time.Duration) error {
	// The database stores milliseconds.
	if d < time.Millisecond {
		return fmt.Errorf("%s must be at least 1ms, not %s", what, d)
	}
	*dst = d
	return nil
}
