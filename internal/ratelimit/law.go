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

var (
	slowStart       = 500 * time.Millisecond
	pausesToPlateau = 15
	beta            = 0.85
	growth          = 0.5
)

const (
	minPlateau = 5 * time.Second
	maxPlateau = 10 * time.Minute
	leastRate  = 1.0 / 60
)

// cubic is the law in force, see the package's documentation.
type cubic struct {
	low, high float64       // after the pause, and at the plateau
	plateau   time.Duration // from the end of the pause
	since     time.Time     // the end of the pause
	searching bool          // slow start
}

func (l *cubic) refused(c *cycle) {
	if c.first {
		*l = cubic{low: max(c.sustained(), 1), searching: true}
	} else {
		before := l.rate(c.ended)
		high := min(max(c.refilled(), c.sustained()), before)
		l.high = max(high, leastRate)
		l.low = beta * l.high
		l.searching = false
	}
	l.resume(c.until, c.until.Sub(c.ended))
}

func (l *cubic) resume(at time.Time, pause time.Duration) {
	l.since = at
	l.plateau = min(max(time.Duration(pausesToPlateau)*pause, minPlateau), maxPlateau)
}

func (l *cubic) rate(now time.Time) float64 {
	t := max(now.Sub(l.since), 0)
	if l.searching {
		return l.low * math.Exp2(min(t.Seconds()/slowStart.Seconds(), 40))
	}
	u := t.Seconds()/l.plateau.Seconds() - 1
	depth := l.high - l.low
	if u > 0 {
		depth = max(depth, growth*math.Sqrt(l.high))
	}
	return l.high + depth*u*u*u
}

func (l *cubic) outgrown(now time.Time) bool { return now.Sub(l.since) > 4*l.plateau }
