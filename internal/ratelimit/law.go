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
	slowStart = 500 * time.Millisecond
	leastK    = 5
	mostK     = 20
	beta      = 0.9
	growth    = 0.5
	fast      = 0.85
	down      = 0.7
)

const (
	minPlateau = 2 * time.Second
	maxPlateau = 20 * time.Minute
	leastRate  = 1.0 / 60
)

// cubic is the law in force, see the package's documentation.
type cubic struct {
	low, high, top float64       // after the pause, at the plateau, and as long after it again
	plateau        time.Duration // from the end of the pause
	since          time.Time     // the end of the pause
	pauses         int           // that the plateau is long
	searching      bool          // slow start
}

func (l *cubic) refused(c *cycle) {
	if c.first {
		*l = cubic{low: max(c.sustained(), 1), searching: true}
	} else {
		before := l.rate(c.ended)
		seen := min(max(c.refilled(), c.sustained()), before)
		switch {
		case l.searching:
			l.pauses, l.high = leastK, seen
		case c.ended.Before(l.since.Add(l.plateau)):
			l.pauses = leastK
			l.high = down*before + (1-down)*min(seen, before)*0 + growth*math.Sqrt(before)
		default:
			l.pauses, l.high = min(2*l.pauses, mostK), seen
		}
		l.high = max(min(l.high, before), leastRate)
		l.low = beta * l.high
		l.top = max(before, 1.05*l.high)
		l.searching = false
	}
	l.resume(c.until, c.until.Sub(c.ended))
}

func (l *cubic) resume(at time.Time, pause time.Duration) {
	l.since = at
	l.plateau = min(max(time.Duration(l.pauses)*pause, minPlateau), maxPlateau)
}

func (l *cubic) rate(now time.Time) float64 {
	t := max(now.Sub(l.since), 0)
	if l.searching {
		return l.low * math.Exp2(min(t.Seconds()/slowStart.Seconds(), 40))
	}
	u := t.Seconds()/l.plateau.Seconds() - 1
	if u < 0 {
		return l.high + (l.high-l.low)*u*u*u
	}
	return l.high + (l.top-l.high)*u*u*u
}

func (l *cubic) outgrown(now time.Time) bool { return now.Sub(l.since) > 4*l.plateau }
