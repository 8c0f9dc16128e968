package ratelimit

import (
	"math"
	"time"
)

// A law decides how fast to send between two refusals.
type law interface {
	// refused begins anew after a refusal.
	refused(c *cycle)
	// resume begins anew at a later end of the pause.
	resume(at time.Time, pause time.Duration)
	// rate is the requests a second allowed at now. It never falls before the
	// next refusal.
	rate(now time.Time) float64
	// outgrown reports whether so much time has passed without a refusal that
	// the limit must be gone.
	outgrown(now time.Time) bool
}

const (
	doubling   = 500 * time.Millisecond // of the rate in slow start, at least
	doublings  = 10                     // in a pause, at most
	minPauses  = 4                      // on the way to the plateau
	oncePauses = 8                      // after slow start
	maxPauses  = 20
	lowered    = 0.95 // of the rate allowed, after a refusal
	minYield   = 0.9  // of the rate sent, at most, after a refusal before the plateau

	minPlateau = 2 * time.Second
	maxPlateau = 20 * time.Minute
	leastRate  = 1.0 / 60
)

// cubic is the law in force, see the package's documentation.
type cubic struct {
	low, high, top float64       // after the pause, at the plateau, and as long after it again
	plateau        time.Duration // from the end of the pause
	since          time.Time     // the end of the pause
	pauses         int           // that the plateau is away
	doubling       time.Duration // of slow start; 0 when it is over
}

func (l *cubic) refused(c *cycle) {
	pause := c.pause()
	if c.first {
		low := max(c.sustained(), min(1, 1/pause.Seconds()))
		*l = cubic{low: low, doubling: max(doubling, pause/doublings)}
		l.resume(c.until, pause)
		return
	}
	sent := l.rate(c.ended)
	switch {
	case l.doubling > 0:
		l.high, l.pauses = c.allowed(0), oncePauses
	case c.ended.Before(l.since.Add(l.plateau)):
		// The limit is lower than it was, or shared with others.
		l.high = max(min(sent/2+math.Sqrt(sent), minYield*sent), c.sustained())
		l.pauses = minPauses
	default:
		// What was allowed is a lower bound, a loose one if the server counts in windows.
		l.high = c.allowed(time.Second)
		l.high += max(sent-1.2*l.high, 0) / 4
		l.pauses = min(2*l.pauses, maxPauses)
	}
	l.high = max(min(l.high, sent), leastRate)
	l.low = lowered * l.high
	l.top = max(sent, l.high+math.Sqrt(l.high))
	l.doubling = 0
	l.resume(c.until, pause)
}

func (l *cubic) resume(at time.Time, pause time.Duration) {
	l.since = at
	if l.doubling > 0 {
		l.plateau = outgrownAfter * l.doubling
		return
	}
	l.plateau = min(max(time.Duration(l.pauses)*pause, minPlateau), maxPlateau)
}

func (l *cubic) rate(now time.Time) float64 {
	t := max(now.Sub(l.since), 0).Seconds()
	if l.doubling > 0 {
		return l.low * math.Exp2(min(t/l.doubling.Seconds(), 40))
	}
	u := t/l.plateau.Seconds() - 1
	if u < 0 {
		return l.high + (l.high-l.low)*u*u*u
	}
	return l.high + (l.top-l.high)*u*u*u
}

func (l *cubic) outgrown(now time.Time) bool { return now.Sub(l.since) > outgrownAfter*l.plateau }

// After so many times the way to the plateau the top is exceeded many times over,
// and in slow start the rate has doubled 16 times.
const outgrownAfter = 4
