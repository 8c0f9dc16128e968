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
	doubling   = 500 * time.Millisecond // of the rate in slow start
	minPauses  = 4                      // on the way to the plateau
	oncePauses = 8                      // after slow start
	maxPauses  = 20
	lowered    = 0.95 // of the rate seen, after a refusal
	yield      = 0.8  // of the rate sent, after a refusal before the plateau
	take       = 0.3  // of the square root of it, added
	minFactor  = 1.05 // from the plateau to the top

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
	searching      bool          // slow start
}

func (l *cubic) refused(c *cycle) {
	if c.first {
		*l = cubic{low: max(c.sustained(), 1), searching: true}
		l.resume(c.until, c.pause())
		return
	}
	sent := l.rate(c.ended)
	switch {
	case l.searching:
		l.high, l.pauses = c.allowed(), oncePauses
	case c.ended.Before(l.since.Add(l.plateau)):
		// The limit is lower than it was, or shared with others.
		l.high, l.pauses = max(yield*sent+take*math.Sqrt(sent), c.sustained()), minPauses
	default:
		l.high, l.pauses = c.allowed(), min(2*l.pauses, maxPauses)
	}
	l.high = max(min(l.high, sent), leastRate)
	l.low = lowered * l.high
	l.top = max(sent, minFactor*l.high)
	l.searching = false
	l.resume(c.until, c.pause())
}

func (l *cubic) resume(at time.Time, pause time.Duration) {
	l.since = at
	l.plateau = min(max(time.Duration(l.pauses)*pause, minPlateau), maxPlateau)
}

func (l *cubic) rate(now time.Time) float64 {
	t := max(now.Sub(l.since), 0)
	if l.searching {
		return l.low * math.Exp2(min(t.Seconds()/doubling.Seconds(), 40))
	}
	u := t.Seconds()/l.plateau.Seconds() - 1
	if u < 0 {
		return l.high + (l.high-l.low)*u*u*u
	}
	return l.high + (l.top-l.high)*u*u*u
}

func (l *cubic) outgrown(now time.Time) bool { return now.Sub(l.since) > outgrownAfter*l.plateau }

// outgrownAfter so many times the way to the plateau the top is exceeded many
// times over.
const outgrownAfter = 4
