package ratelimit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Clock is the time that a [Limiter] goes by.
type Clock interface {
	Now() time.Time
	// After is as [time.After].
	After(d time.Duration) <-chan time.Time
}

// System is the clock of the machine.
type System struct{}

// Now is as [time.Now].
func (System) Now() time.Time { return time.Now() }

// After is as [time.After].
func (System) After(d time.Duration) <-chan time.Time { return time.After(d) }

// tick is how soon a request that waits for its token looks again at the rate.
const tick = 100 * time.Millisecond

// Without a Retry-After the pause is this long, and twice as long after each
// refusal until something is admitted.
const leastPause = 100 * time.Millisecond

// Limiter spaces requests. It is safe for concurrent use.
type Limiter struct {
	clock    Clock
	maxPause time.Duration
	newLaw   func() law

	lead lead
	turn chan struct{} // held by the one request that waits for a token

	limited    atomic.Bool // there is a law or a quota
	generation atomic.Int64
	early      atomic.Int64 // admitted while not limited
	waiting    atomic.Int64 // requests that want the turn or have it
	sent       atomic.Int64 // requests without an outcome yet

	mu       sync.Mutex
	law      law      // nil until a refusal
	reported reported // the server's own word
	bucket   *rate.Limiter
	cycle    cycle
	ended    bool          // the next cycle begins with the end of the pause
	until    time.Time     // the end of the pause
	futile   int           // refusals since one was admitted
	changed  chan struct{} // closed when the next pause begins
}

// New returns a limiter that never pauses for longer than maxPause.
func New(clock Clock, maxPause time.Duration) *Limiter {
	return newLimiter(clock, maxPause, func() law { return new(cubic) })
}

func newLimiter(clock Clock, maxPause time.Duration, newLaw func() law) *Limiter {
	return &Limiter{
		clock: clock, maxPause: maxPause, newLaw: newLaw,
		lead:    lead{over: make(chan struct{})},
		turn:    make(chan struct{}, 1),
		bucket:  rate.NewLimiter(0, 1),
		cycle:   cycle{first: true, began: clock.Now()},
		changed: make(chan struct{}),
	}
}

// Pass permits one request. Every pass is to be given to [Limiter.Done].
type Pass struct{ generation int64 }

// Outcome is how a request ended. The zero value is one that was admitted.
type Outcome struct {
	Unanswered bool
	Refused    bool          // for the rate limit
	RetryAfter time.Duration // 0 if the refusal names none
	Quota      *Quota        // nil if none was reported
}

// Wait blocks until the next request may go out. A wait that cannot end before
// the context's deadline fails at once. Its error is the context's, or a
// [*WaitError] if requests were being held.
func (l *Limiter) Wait(ctx context.Context) (Pass, error) {
	first, err := l.lead.wait(ctx, l.clock)
	if err != nil {
		return Pass{}, err
	}
	var pass Pass
	if l.limited.Load() {
		pass, err = l.queue(ctx)
	} else {
		pass, err = Pass{l.generation.Load()}, ctx.Err()
	}
	if err != nil {
		if first {
			l.lead.end()
		}
		return Pass{}, err
	}
	l.sent.Add(1)
	return pass, nil
}

// Current reports whether no pause has begun since pass was given.
func (l *Limiter) Current(pass Pass) bool { return pass.generation == l.generation.Load() }

func (l *Limiter) queue(ctx context.Context) (Pass, error) {
	ahead := l.waiting.Add(1) - 1
	defer l.waiting.Add(-1)
	for {
		changed, err := l.check(ctx, ahead)
		if err != nil {
			return Pass{}, err
		}
		select {
		case l.turn <- struct{}{}:
			defer func() { <-l.turn }()
			return l.token(ctx)
		case <-changed:
		case <-ctx.Done():
			return Pass{}, l.waitError(ctx.Err())
		}
	}
}

// token waits at the head of the queue. Only there is a token reserved: one
// reserved earlier would keep a time that the rate has since outgrown.
func (l *Limiter) token(ctx context.Context) (Pass, error) {
	for {
		changed, err := l.check(ctx, 0)
		if err != nil {
			return Pass{}, err
		}
		wait, slot, pass := l.reserve()
		if wait > 0 {
			select {
			case <-l.clock.After(wait):
			case <-changed:
			case <-ctx.Done():
				if slot != nil {
					slot.CancelAt(l.clock.Now())
				}
				return Pass{}, l.waitError(ctx.Err())
			}
		}
		if slot != nil && l.Current(pass) {
			return pass, nil
		}
	}
}

// reserve takes a token if there is one soon. If not it returns how long to wait
// before the next try.
func (l *Limiter) reserve() (wait time.Duration, slot *rate.Reservation, pass Pass) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if wait := l.until.Sub(now); wait > 0 {
		return wait, nil, Pass{}
	}
	l.begin()
	pass = Pass{l.generation.Load()}
	perSecond := l.pace(now)
	if l.law == nil && l.sent.Load() < int64(l.reported.credit(now)) {
		return 0, &rate.Reservation{}, pass
	}
	l.bucket.SetLimitAt(now, rate.Limit(perSecond))
	l.bucket.SetBurstAt(now, smooth(perSecond))
	slot = l.bucket.ReserveN(now, 1)
	if wait = slot.DelayFrom(now); wait > tick {
		slot.CancelAt(now)
		return tick, nil, Pass{}
	}
	return wait, slot, pass
}

// smooth is the burst of a bucket that spaces requests evenly: what a timer may
// be late.
func smooth(perSecond float64) int { return 1 + int(min(perSecond/100, 1000)) }

// pace is the rate at now.
func (l *Limiter) pace(now time.Time) float64 {
	if l.law != nil && l.law.outgrown(now) {
		l.law = nil
		l.limited.Store(l.reported.known())
	}
	perSecond := float64(rate.Inf)
	if l.law != nil {
		perSecond = l.law.rate(now)
	}
	if l.reported.known() {
		perSecond = min(perSecond, l.reported.at(now).Rate())
	}
	return max(perSecond, 1/l.maxPause.Seconds())
}

// check fails if a request with so many ahead certainly cannot go out before the
// context's deadline. It returns a channel that is closed when that must be asked
// again.
func (l *Limiter) check(ctx context.Context, ahead int64) (<-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	deadline, ok := ctx.Deadline()
	if !ok {
		return l.changed, nil
	}
	from := l.clock.Now()
	if l.until.After(from) {
		from = l.until
	}
	if !from.Before(deadline) {
		return nil, &WaitError{Until: l.until, Err: context.DeadlineExceeded}
	}
	if l.ended || l.law == nil {
		return l.changed, nil // the rate is not known
	}
	most := l.law.rate(deadline) * deadline.Sub(from).Seconds()
	if float64(ahead+1) > l.bucket.TokensAt(from)+most {
		return nil, &WaitError{Err: context.DeadlineExceeded}
	}
	return l.changed, nil
}

// Done reports the outcome of the request that pass permitted.
func (l *Limiter) Done(pass Pass, o Outcome) {
	l.lead.end()
	l.sent.Add(-1)
	switch {
	case o.Unanswered:
		return
	case !o.Refused && o.Quota == nil && !l.limited.Load():
		l.early.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	switch {
	case o.Quota != nil && l.reported.update(*o.Quota, now):
		l.limited.Store(true)
		if wait := l.reported.exhausted(); wait > 0 {
			l.pause(now.Add(min(wait, l.maxPause)))
		}
	case l.reported.stale(now):
		l.reported = reported{}
		l.limited.Store(l.law != nil || l.ended)
	}
	if o.Refused {
		l.refused(pass, o.RetryAfter, now)
	} else {
		l.cycle.admit(now)
	}
}

func (l *Limiter) refused(pass Pass, retryAfter time.Duration, now time.Time) {
	if l.Current(pass) {
		if l.futile++; l.cycle.admitted > 0 || l.early.Load() > 0 {
			l.futile = 0
		}
		l.cycle.ended, l.ended = now, true
		l.generation.Add(1)
		l.limited.Store(true)
	} else if !now.Before(l.until) {
		return // sent before a pause that is over
	}
	if retryAfter <= 0 {
		retryAfter = leastPause << min(l.futile, 10)
	}
	l.pause(now.Add(min(retryAfter, l.maxPause)))
}

// pause holds all requests until until.
func (l *Limiter) pause(until time.Time) {
	if until.After(l.until) {
		l.until = until
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// begin begins the next cycle when the pause after a refusal is over. What was
// admitted on its way during the pause counts to the cycle before.
func (l *Limiter) begin() {
	if !l.ended {
		return
	}
	l.ended = false
	c := &l.cycle
	c.until = l.until
	c.admitted += int(l.early.Swap(0))
	l.bucket = rate.NewLimiter(0, 1)
	switch {
	case l.law == nil:
		c.first = true
		c.burst = max(1, int(float64(c.admitted)/max(c.ended.Sub(c.began), time.Second).Seconds()))
		l.law = l.newLaw()
	case c.admitted == 0: // the pause was too short
		l.law.resume(c.until, c.pause())
		return
	}
	l.law.refused(c)
	*c = cycle{burst: c.burst, began: c.ended, samples: c.samples[:0]}
}

// State is what a limiter knows.
type State struct {
	Quota  *Quota    // as last reported, and what became of it since; nil for none
	Rate   float64   // requests a second that the limiter keeps to; 0 for no bound
	Paused time.Time // the end of the pause; zero for none
}

// State returns what l knows now.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	s := State{}
	if perSecond := l.pace(now); perSecond < float64(rate.Inf) {
		s.Rate = perSecond
	}
	if l.until.After(now) {
		s.Paused = l.until
	}
	if l.reported.known() {
		quota := l.reported.at(now)
		s.Quota = &quota
	}
	return s
}

// WaitError is the error of a wait that ended, or would end, with the context
// while requests were held.
type WaitError struct {
	Until time.Time // the end of the pause; zero if requests were only spaced
	Err   error
}

func (e *WaitError) Error() string {
	if e.Until.IsZero() {
		return "spacing requests: " + e.Err.Error()
	}
	return "paused until " + e.Until.Format(time.RFC3339) + ": " + e.Err.Error()
}

func (e *WaitError) Unwrap() error { return e.Err }

func (l *Limiter) waitError(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.After(l.clock.Now()) {
		return &WaitError{Until: l.until, Err: err}
	}
	return &WaitError{Err: err}
}
