package whozex

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// gate is what every attempt passes on its way out: a pause that a 429 sets for
// all calls, a pace learned from what got through before, and next to the wire
// the caller's limiter. While no 429 comes it costs an atomic load and an add.
type gate struct {
	limiter  Limiter
	maxPause time.Duration

	now     atomic.Pointer[epoch] // nil until a 429 asks to wait
	through atomic.Int64          // answers since the start, while now is nil

	mu    sync.Mutex
	start time.Time
}

// epoch is the time from the end of one pause to the next 429 that asks for
// one. In it the client keeps to a token bucket like the server's, with the
// burst that the server let through and a rate that grows until the next 429.
type epoch struct {
	bucket  *rate.Limiter
	burst   int
	initial float64 // requests a second
	probing bool    // the server's rate has not been seen yet: double each second
	bursts  bool    // the burst is what got through last time, not what was known before
	since   time.Time
	earlier int // answers between since and the epoch

	turn    chan struct{} // held by the one call that waits for a token
	waiting atomic.Int64  // calls that want the turn or have it
	over    chan struct{} // closed when the next epoch has begun

	mu      sync.Mutex
	until   time.Time // the pause before the epoch; its start
	through int
	recent  float64 // answers a second, averaged over the last one
	last    time.Time
}

// An epoch without a 429 that lasts this long has outgrown any limit.
const forgetAfter = 40 * time.Second

func newGate(limiter Limiter, maxPause time.Duration) *gate {
	return &gate{limiter: limiter, maxPause: maxPause, start: time.Now()}
}

// pass waits until the next attempt may go out, but for at least notBefore. It
// returns what the gate knew then, to be handed to observe. A wait that cannot
// end before the context's deadline fails at once.
func (g *gate) pass(ctx context.Context, notBefore time.Time) (*epoch, error) {
	if !notBefore.IsZero() {
		if err := sleepUntil(ctx, notBefore); err != nil {
			return nil, err
		}
	}
	for {
		e := g.now.Load()
		if e != nil {
			if err := e.wait(ctx); err != nil {
				return nil, err
			}
			if now := g.now.Load(); now != e && now != nil {
				continue
			}
		}
		if g.limiter != nil {
			if err := g.limiter.Wait(ctx); err != nil {
				return nil, fmt.Errorf("limiter: %w", err)
			}
		}
		// A 429 may have come to another call meanwhile.
		if now := g.now.Load(); now == e || now == nil {
			return e, ctx.Err()
		}
	}
}

// observe tells the gate how an attempt that passed in epoch e was answered.
func (g *gate) observe(e *epoch, status int, retryAfter time.Duration) {
	if status != http.StatusTooManyRequests {
		switch current := g.now.Load(); {
		case current != e:
			current.credit()
		case e == nil:
			g.through.Add(1)
		case e.succeeded(time.Now()):
			g.forget(e)
		}
		return
	}
	if retryAfter <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	until := now.Add(min(retryAfter, g.maxPause))
	current := g.now.Load()
	switch {
	case current != e:
		// Sent before the pause began: no news about the rate.
		if current != nil {
			current.extend(until)
		}
	case e == nil:
		through := int(g.through.Load())
		g.now.Store(newEpoch(g.start, until, through, 1, true))
	default:
		g.now.Store(e.next(now, until))
		close(e.over)
	}
}

func (g *gate) forget(e *epoch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now.CompareAndSwap(e, nil) {
		g.through.Store(0)
		g.start = time.Now()
		close(e.over)
	}
}

// newEpoch begins with the burst of what got through since since, and with its
// rate unless least is more.
func newEpoch(since, until time.Time, through int, least float64, probing bool) *epoch {
	e := &epoch{
		since:   since,
		earlier: through,
		initial: least,
		probing: probing,
		bursts:  true,
		turn:    make(chan struct{}, 1),
		over:    make(chan struct{}),
		until:   until,
		last:    until,
	}
	e.begin()
	return e
}

func (e *epoch) begin() {
	e.burst = max(e.earlier, 1)
	e.initial = max(e.initial, perSecond(e.earlier, e.until.Sub(e.since)))
	e.bucket = rate.NewLimiter(rate.Limit(e.initial), e.burst)
}

func perSecond(n int, d time.Duration) float64 {
	return float64(max(n, 1)) / max(d.Seconds(), 0.001)
}

// next is the epoch after a 429 at now that asks to wait until until.
func (e *epoch) next(now, until time.Time) *epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	overall := perSecond(e.through, until.Sub(e.until))
	spaced := e.through - e.burst
	switch {
	case spaced <= 0:
		// Refused within the burst or right after it: the server allows a smaller
		// one, or fills it more slowly.
		return newEpoch(e.until, until, e.through, 0.9*e.initial, e.probing)
	case spaced < e.burst:
		// The server works by bursts, as one that counts in fixed windows does.
		return newEpoch(e.until, until, e.through, 0, e.probing)
	}
	reached := min(e.rate(now), e.average(now))
	spacing := newEpoch(e.until, until, e.burst, max(0.9*reached, overall), false)
	spacing.bursts = false
	return spacing
}

// wait blocks until the pause is over and the bucket gives a token.
func (e *epoch) wait(ctx context.Context) error {
	e.mu.Lock()
	until := e.until
	e.mu.Unlock()
	if err := sleepUntil(ctx, until); err != nil {
		return errors.Join(fmt.Errorf("%w: paused until %s", ErrRateLimited, until.Format(time.RFC3339)), err)
	}
	if err := e.queue(ctx); err != nil {
		return errors.Join(fmt.Errorf("%w: spacing requests", ErrRateLimited), err)
	}
	return nil
}

// queue waits for a token. Only the first in the queue reserves one: a token that
// is reserved keeps its time, which what is learned meanwhile makes too late.
func (e *epoch) queue(ctx context.Context) error {
	ahead := e.waiting.Add(1) - 1
	defer e.waiting.Add(-1)
	if !e.fits(ctx, ahead) {
		return context.DeadlineExceeded
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-e.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	now := time.Now()
	e.mu.Lock()
	e.bucket.SetLimitAt(now, rate.Limit(e.rate(now)))
	slot := e.bucket.ReserveN(now, 1)
	e.mu.Unlock()
	if err := sleepUntil(ctx, now.Add(slot.DelayFrom(now))); err != nil {
		slot.Cancel()
		return err
	}
	return nil
}

// fits tells whether a call behind so many others can have its token before the
// context's deadline, at the rate of now.
func (e *epoch) fits(ctx context.Context, ahead int64) bool {
	deadline, ok := ctx.Deadline()
	if !ok {
		return true
	}
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	missing := float64(ahead+1) - e.bucket.TokensAt(now)
	return now.Add(time.Duration(missing / e.rate(now) * float64(time.Second))).Before(deadline)
}

// rate is the epoch's rate at now: it grows by 2% a second, or doubles while
// probing, and ever faster from the tenth second on, so that a limit that is
// gone is soon forgotten.
func (e *epoch) rate(now time.Time) float64 {
	t := max(now.Sub(e.until).Seconds(), 0)
	if e.probing {
		return e.initial * math.Exp2(min(t, 40))
	}
	growth := 0.02 * min(t, 10)
	if t > 10 {
		growth += 0.02 * 5 / math.Ln2 * (math.Exp2(min(t-10, 40)/5) - 1)
	}
	return e.initial * math.Exp(growth)
}

// succeeded counts an answer, and reports whether the epoch has lasted long
// enough to be forgotten.
func (e *epoch) succeeded(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.through++
	e.recent = e.average(now) + 1
	e.last = now
	return now.Sub(e.until) > forgetAfter
}

func (e *epoch) average(now time.Time) float64 {
	return e.recent * math.Exp(-max(now.Sub(e.last).Seconds(), 0))
}

// credit counts an answer to a request sent before the pause, which came after
// the 429 that began it: the burst was larger than it looked.
func (e *epoch) credit() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bursts && time.Now().Before(e.until) {
		e.earlier++
		e.begin()
	}
}

func (e *epoch) extend(until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.through == 0 && until.After(e.until) {
		e.until, e.last = until, until
	}
}

// sleepUntil waits for t, unless the context ends or would end before it.
func sleepUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(t) {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
