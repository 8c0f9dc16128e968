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

// Option changes a default of [New], which refuses a value that makes no sense.
type Option func(*settings) error

type settings struct {
	workers    int
	attempts   int64
	minBackoff time.Duration
	maxBackoff time.Duration
	timeout    time.Duration
	lease      time.Duration
	poll       time.Duration
	retention  time.Duration // 0 is forever
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
			return fmt.Errorf("there must be a worker, not %d", n)
		}
		s.workers = n
		return nil
	}
}

// WithAttempts sets after how many attempts an event is dead, [DefaultAttempts] by
// default.
func WithAttempts(n int) Option {
	return func(s *settings) error {
		if n < 1 {
			return fmt.Errorf("there must be an attempt, not %d", n)
		}
		s.attempts = int64(n)
		return nil
	}
}

// WithBackoff sets how long an event waits after its first failure, and at most:
// each failure doubles the time. [DefaultMinBackoff] and [DefaultMaxBackoff] by
// default.
func WithBackoff(first, longest time.Duration) Option {
	return func(s *settings) error {
		if first < time.Millisecond || longest < first {
			return fmt.Errorf("a back-off from %s to %s", first, longest)
		}
		s.minBackoff, s.maxBackoff = first, longest
		return nil
	}
}

// WithTimeout bounds one attempt of a handler, by its context; [DefaultTimeout] by
// default. It also bounds how long [Inbox.Run] goes on after its context ended, if
// the handler heeds its context.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error { return positive("timeout", &s.timeout, d) }
}

// WithLease sets after what time without a sign of life a worker is taken for dead,
// [DefaultLease] by default. A handler may take longer: its lease is renewed.
func WithLease(d time.Duration) Option {
	return func(s *settings) error { return positive("lease", &s.lease, d) }
}

// WithPoll sets how often an idle worker looks for events that other processes have
// received or that have waited out their back-off, [DefaultPoll] by default. Events
// that its own process has received wake it at once.
func WithPoll(d time.Duration) Option {
	return func(s *settings) error { return positive("poll", &s.poll, d) }
}

// WithRetention lets [Inbox.Run] delete events once they have been done for d, see
// [Inbox.Purge]. Without it they are kept, as what a redelivery is recognized by: d
// should be longer than the sender may redeliver, which the API does not document.
func WithRetention(d time.Duration) Option {
	return func(s *settings) error { return positive("retention", &s.retention, d) }
}

// WithStream takes an event's stream from stream in place of data.user_id: events
// of one stream are handled in order. Those of an empty one are in no order.
func WithStream(stream func(*webhookverify.Event) string) Option {
	return func(s *settings) error {
		if stream == nil {
			return errors.New("the function for streams is nil")
		}
		s.stream = stream
		return nil
	}
}

// WithErrorHandler gives report the error of each attempt that failed, for your
// log. The event is nil for an error of the database, which is tried again.
func WithErrorHandler(report func(*webhookverify.Event, error)) Option {
	return func(s *settings) error {
		if report == nil {
			return errors.New("the error handler is nil")
		}
		s.report = report
		return nil
	}
}

// Step is a moment in an event's life, see [WithStepHook].
type Step string

// The steps, in order.
const (
	StepReceive Step = "receive" // the event is about to be committed
	StepStored  Step = "stored"  // it is committed, and about to be acknowledged
	StepClaimed Step = "claimed" // a worker has it
	StepHandled Step = "handled" // the handler has returned
	StepMark    Step = "mark"    // its end is written and about to be committed
	StepDone    Step = "done"    // its end is committed
)

// WithStepHook calls hook at each step, to test what a program does if it is
// killed just then.
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
	// The database counts in milliseconds.
	if d < time.Millisecond {
		return fmt.Errorf("%s must be at least 1ms, not %s", what, d)
	}
	*dst = d
	return nil
}
