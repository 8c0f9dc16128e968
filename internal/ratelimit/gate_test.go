package ratelimit

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// gate is the control law of version 0.1.0, less its deadlines. It sent nothing in
// a pause that a Retry-After asked for, and then kept to a token bucket of the burst
// and the rate that got through before. A refusal without Retry-After delayed
// only the request that was refused.
type gate struct {
	now     atomic.Pointer[epoch] // nil until a refusal asks to wait
	through atomic.Int64          // admitted while now is nil

	mu    sync.Mutex
	start time.Time
}

// epoch is the time from the end of one pause to the next refusal that asks for one.
type epoch struct {
	bucket  *rate.Limiter
	burst   int
	initial float64 // requests a second
	probing bool    // the server's rate has not been seen: double each second
	bursts  bool    // the burst is what got through last time, not what was known before
	since   time.Time
	earlier int // admitted between since and the epoch

	turn chan struct{} // held by the one request that waits for a token
	over chan struct{} // closed when the next epoch has begun

	mu      sync.Mutex
	until   time.Time // the pause before the epoch; its start
	through int
	recent  float64 // admitted a second, averaged over the last one
	last    time.Time
}

// An epoch without a refusal that lasts this long had outgrown any limit.
const forgetAfter = 40 * time.Second

func newGate() client { return &gate{start: time.Now()} }

func (g *gate) request(ctx context.Context, send func() Outcome) error {
	const minBackoff, maxBackoff = 250 * time.Millisecond, 8 * time.Second
	for attempt := 0; ; attempt++ {
		e, err := g.pass(ctx)
		if err != nil {
			return err
		}
		o := send()
		g.observe(e, o)
		if !o.Refused {
			return nil
		}
		if o.RetryAfter <= 0 {
			time.Sleep(rand.N(min(minBackoff<<min(attempt, 10), maxBackoff))) // of a virtual clock
		}
	}
}

func (g *gate) pass(ctx context.Context) (*epoch, error) {
	for {
		e := g.now.Load()
		if e == nil {
			return nil, ctx.Err()
		}
		if err := e.wait(ctx); err != nil {
			return nil, err
		}
		if now := g.now.Load(); now == e || now == nil {
			return e, ctx.Err()
		}
	}
}

func (g *gate) observe(e *epoch, o Outcome) {
	if !o.Refused {
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
	if o.RetryAfter <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	until := now.Add(o.RetryAfter)
	current := g.now.Load()
	switch {
	case current != e:
		if current != nil {
			current.extend(until)
		}
	case e == nil:
		g.now.Store(newEpoch(g.start, until, int(g.through.Load()), 1, true))
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

func newEpoch(since, until time.Time, through int, least float64, probing bool) *epoch {
	e := &epoch{
		since: since, earlier: through, initial: least, probing: probing, bursts: true,
		turn: make(chan struct{}, 1), over: make(chan struct{}),
		until: until, last: until,
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

func (e *epoch) next(now, until time.Time) *epoch {
	e.mu.Lock()
	defer e.mu.Unlock()
	overall := perSecond(e.through, until.Sub(e.until))
	spaced := e.through - e.burst
	switch {
	case spaced <= 0:
		// The server allows a smaller burst, or fills it more slowly.
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
	time.Sleep(time.Until(until)) // of a virtual clock
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
	time.Sleep(slot.DelayFrom(now)) // of a virtual clock
	return nil
}

// rate grows by 2% a second, or doubles while probing, and ever faster from the
// tenth second on.
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

// succeeded counts an admission, and reports whether the epoch has lasted long
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

// credit counts an admission that came after the refusal that began the pause.
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
