package ratelimit

import (
	"context"
	"errors"
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

// ErrPaused is the error of a wait that cannot end before the context's
// deadline, because requests are paused or there are too many ahead.
var ErrPaused = errors.New("rate limited")

// leadTimeout bounds the wait for the response to the first request.
const leadTimeout = 3 * time.Second

// tick is how soon a request that waits for its turn looks again at the rate.
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
	admitted   atomic.Int64 // before the first refusal
	waiting    atomic.Int64 // requests that want the turn or have it

	mu        sync.Mutex
	law       law      // nil until a refusal
	reported  reported // the server's own word
	bucket    *rate.Limiter
	cycle     cycle
	until     time.Time     // the end of the pause
	refusedIn bool          // the cycle has ended, and the next begins with the pause's end
	futile    int           // refusals since one was admitted
	changed   chan struct{} // closed when the next pause begins
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
// the context's deadline fails at once, with an error that matches [ErrPaused]
// and [context.DeadlineExceeded].
func (l *Limiter) Wait(ctx context.Context) (Pass, error) {
	if err := l.lead.wait(ctx, l.clock); err != nil {
		return Pass{}, err
	}
	if !l.limited.Load() {
		return Pass{l.generation.Load()}, ctx.Err()
	}
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
			return Pass{}, ctx.Err()
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
		wait, slot, generation := l.reserve()
		if wait > 0 {
			select {
			case <-l.clock.After(wait):
			case <-changed:
			case <-ctx.Done():
				if slot != nil {
					slot.CancelAt(l.clock.Now())
				}
				return Pass{}, ctx.Err()
			}
		}
		if slot != nil && l.generation.Load() == generation {
			return Pass{generation}, ctx.Err()
		}
	}
}

// reserve takes a token if it is there soon; if not it returns how long to wait
// before the next try.
func (l *Limiter) reserve() (wait time.Duration, slot *rate.Reservation, generation int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if wait := l.until.Sub(now); wait > 0 {
		return wait, nil, l.generation.Load()
	}
	l.next()
	perSecond, burst := l.pace(now)
	l.bucket.SetLimitAt(now, rate.Limit(perSecond))
	l.bucket.SetBurstAt(now, burst)
	slot = l.bucket.ReserveN(now, 1)
	if wait = slot.DelayFrom(now); wait > tick {
		slot.CancelAt(now)
		return tick, nil, 0
	}
	return wait, slot, l.generation.Load()
}

// pace is the rate and the burst at now.
func (l *Limiter) pace(now time.Time) (perSecond float64, burst int) {
	if l.law != nil && l.law.outgrown(now) {
		l.law = nil
		l.limited.Store(l.reported.known())
	}
	switch {
	case l.law == nil && !l.reported.known():
		return float64(rate.Inf), 1
	case l.law == nil:
		quota := l.reported.at(now)
		perSecond, burst = quota.Rate(), quota.burst()
	default:
		perSecond = l.law.rate(now)
		if l.reported.known() {
			perSecond = min(perSecond, l.reported.at(now).Rate())
		}
		burst = smooth(perSecond)
	}
	return max(perSecond, 1/l.maxPause.Seconds()), burst
}

// check fails if a request with so many ahead cannot go out before the context's
// deadline. It returns a channel that is closed when that must be asked again.
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
		return nil, pausedError{until: l.until}
	}
	if !l.refusedIn {
		most, _ := l.pace(deadline) // the rate never falls
		if float64(ahead+1) > l.bucket.TokensAt(from)+deadline.Sub(from).Seconds()*most {
			return nil, pausedError{}
		}
	}
	return l.changed, nil
}

// Done reports the outcome of the request that pass permitted.
func (l *Limiter) Done(pass Pass, o Outcome) {
	l.lead.end()
	if o.Unanswered {
		return
	}
	if !o.Refused && o.Quota == nil && !l.limited.Load() {
		l.admitted.Add(1)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if !o.Refused {
		l.cycle.admit(now)
	}
	if o.Quota != nil && l.reported.update(*o.Quota, now) {
		l.limited.Store(true)
		if wait := l.reported.exhausted(); wait > 0 {
			l.pause(now.Add(min(wait, l.maxPause)))
		}
	}
	if o.Refused {
		l.refused(pass, o.RetryAfter, now)
	}
}

func (l *Limiter) refused(pass Pass, retryAfter time.Duration, now time.Time) {
	if pass.generation != l.generation.Load() {
		// Sent before the pause: no news about the rate.
		if now.Before(l.until) {
			l.pause(now.Add(l.bounded(retryAfter)))
		}
		return
	}
	if l.futile++; l.cycle.admitted > 0 || l.admitted.Load() > 0 {
		l.futile = 0
	}
	l.cycle.ended = now
	l.refusedIn = true
	l.pause(now.Add(l.bounded(retryAfter)))
	l.generation.Add(1)
	l.limited.Store(true)
}

// bounded is how long to pause for.
func (l *Limiter) bounded(retryAfter time.Duration) time.Duration {
	if retryAfter <= 0 {
		retryAfter = leastPause << min(l.futile, 10)
	}
	return min(retryAfter, l.maxPause)
}

// next begins the next cycle when the pause is over, if a refusal has ended this
// one. What was on its way meanwhile still belongs to this one.
func (l *Limiter) next() {
	if !l.refusedIn {
		return
	}
	l.refusedIn = false
	c := &l.cycle
	c.until = l.until
	c.admitted += int(l.admitted.Swap(0))
	l.bucket = rate.NewLimiter(0, 1)
	switch {
	case l.law == nil:
		c.first = true
		c.burst = max(1, int(perSecond(c.admitted, max(c.ended.Sub(c.began), time.Second))))
		l.law = l.newLaw()
		l.law.refused(c)
	case c.admitted == 0: // the pause was too short
		l.law.resume(l.until, l.until.Sub(c.ended))
		c.resumed = l.until
		return
	default:
		l.law.refused(c)
	}
	*c = cycle{burst: c.burst, began: c.ended, resumed: l.until, samples: c.samples[:0]}
}

// pause holds all requests until until.
func (l *Limiter) pause(until time.Time) {
	if until.After(l.until) {
		l.until = until
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

// State is what a limiter knows.
type State struct {
	Quota  *Quota    // as last reported, and what became of it since; nil for none
	Rate   float64   // requests a second that the limiter keeps to; 0 for no bound
	Paused time.Time // the end of the last pause; zero for none
}

// State returns what l knows now.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	s := State{}
	if perSecond, _ := l.pace(now); perSecond < float64(rate.Inf) {
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

type pausedError struct{ until time.Time }

func (e pausedError) Error() string {
	if e.until.IsZero() {
		return "rate limited: the requests ahead take longer than the deadline"
	}
	return "rate limited: paused until " + e.until.Format(time.RFC3339) + ", after the deadline"
}

func (e pausedError) Is(target error) bool {
	return target == ErrPaused || target == context.DeadlineExceeded
}
