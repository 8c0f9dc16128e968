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
	doubling     = 400 * time.Millisecond // of the rate in slow start, at least
	doublings    = 10                     // in a pause, at most
	pauses       = 8                      // on the way to the plateau
	sharedPauses = 4                      // the same, after a refusal on it
	minWay       = 2 * time.Second
	margin       = 0.99 // of the rate allowed, at the plateau
	lowered      = 0.97 // of the plateau, after the pause
	growth       = 1.15 // from the plateau to as long after it again
	leastRate    = 1.0 / 60
)

// cubic is the law in force, see the package's documentation.
type cubic struct {
	slowStart bool
	high      float64       // at the plateau, or at the beginning of slow start
	pauses    int           // on the way to the plateau
	since     time.Time     // the end of the pause
	way       time.Duration // to the plateau, or until slow start has doubled the rate
}

func (l *cubic) refused(c *cycle) {
	if c.first {
		*l = cubic{slowStart: true, high: max(c.sustained(), min(1, 1/c.pause().Seconds()))}
		l.resume(c.until, c.pause())
		return
	}
	sent := l.rate(c.ended)
	switch {
	case l.slowStart:
		l.high, l.pauses = plateau(c.allowed(0), sent), pauses
	case c.ended.Before(l.since.Add(l.way)):
		// The limit is lower than it was, or shared with others.
		l.high, l.pauses = min(max(sent/2+math.Sqrt(sent), 0.7*sent), 0.9*sent), sharedPauses
	default:
		l.high, l.pauses = plateau(c.allowed(time.Second), sent), pauses
	}
	l.slowStart = false
	l.high = max(l.high, leastRate)
	l.resume(c.until, c.pause())
}

// plateau is just below the rate that was allowed. Of a server that counts in
// windows that is a loose lower bound, so it is at least halfway to half of the
// rate that was sent.
func plateau(allowed, sent float64) float64 {
	high := margin * allowed
	return min(high+max(sent/2-high, 0)/2, sent)
}

func (l *cubic) resume(at time.Time, pause time.Duration) {
	l.since = at
	if l.slowStart {
		l.way = max(doubling, pause/doublings)
	} else {
		l.way = max(time.Duration(l.pauses)*pause, minWay)
	}
}

func (l *cubic) rate(now time.Time) float64 {
	u := max(now.Sub(l.since), 0).Seconds() / l.way.Seconds()
	if l.slowStart {
		return l.high * math.Exp2(min(u, 40))
	}
	u = min(u-1, 10)
	if u < 0 {
		return l.high * math.Pow(lowered, -u*u*u)
	}
	return l.high * math.Pow(growth, u*u*u)
}

// The rate has doubled so often that there is no limit any more.
const outgrownBy = 1 << 16

func (l *cubic) outgrown(now time.Time) bool { return l.rate(now) > outgrownBy*l.high }
