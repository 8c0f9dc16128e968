package ratelimit

import (
	"math"
	"time"
)

// The laws that cubic is compared with, each as its source has it but for the
// slow start.

// sought is a law after the slow start of cubic.
type sought struct {
	search cubic
	inner  law
	found  bool
}

func (l *sought) current() law {
	if l.found {
		return l.inner
	}
	return &l.search
}

func (l *sought) refused(c *cycle) {
	if c.first {
		l.search.refused(c)
		return
	}
	l.found = true
	l.inner.refused(c)
}

func (l *sought) resume(at time.Time, pause time.Duration) { l.current().resume(at, pause) }
func (l *sought) rate(now time.Time) float64               { return l.current().rate(now) }
func (l *sought) outgrown(now time.Time) bool              { return !l.found && l.search.outgrown(now) }

// aimd falls to half of what was allowed and adds a tenth of it each second
// (D. Chiu and R. Jain, 1989).
type aimd struct {
	base, step float64
	since      time.Time
}

func (l *aimd) refused(c *cycle) {
	*l = aimd{base: max(c.allowed(0)/2, leastRate), step: c.allowed(0) / 10, since: c.until}
}
func (l *aimd) resume(at time.Time, _ time.Duration) { l.since = at }
func (l *aimd) rate(now time.Time) float64 {
	return l.base + l.step*max(now.Sub(l.since).Seconds(), 0)
}
func (l *aimd) outgrown(time.Time) bool { return false }

// awsCubic is the adaptive retry mode of the AWS SDKs: beta 0.7, scale constant 0.4.
type awsCubic struct {
	most   float64
	window float64 // seconds to the plateau
	since  time.Time
}

func (l *awsCubic) refused(c *cycle) {
	most := max(c.allowed(0), leastRate)
	*l = awsCubic{most: most, window: math.Cbrt(most * 0.3 / 0.4), since: c.until}
}
func (l *awsCubic) resume(at time.Time, _ time.Duration) { l.since = at }
func (l *awsCubic) rate(now time.Time) float64 {
	t := max(now.Sub(l.since).Seconds(), 0) - l.window
	return max(0.4*t*t*t+l.most, leastRate)
}
func (l *awsCubic) outgrown(time.Time) bool { return false }

// seen is a plain bucket of the rate that was allowed before the last refusal.
type seen struct{ perSecond float64 }

func (l *seen) refused(c *cycle)                { l.perSecond = max(c.allowed(0), leastRate) }
func (l *seen) resume(time.Time, time.Duration) {}
func (l *seen) rate(time.Time) float64          { return l.perSecond }
func (l *seen) outgrown(time.Time) bool         { return false }

// without is cubic less one of its parts.
type without struct {
	cubic
	before, after func(l *cubic, c *cycle) // nil for nothing
	straight      bool                     // lines in the place of the curve
	forever       bool                     // the limit is never gone
}

func (l *without) refused(c *cycle) {
	if l.before != nil {
		l.before(&l.cubic, c)
	}
	l.cubic.refused(c)
	if l.after != nil {
		l.after(&l.cubic, c)
		l.resume(c.until, c.pause())
	}
}

func (l *without) rate(now time.Time) float64 {
	if !l.straight || l.slowStart {
		return l.cubic.rate(now)
	}
	u := max(now.Sub(l.since), 0).Seconds()/l.way.Seconds() - 1
	if u < 0 {
		return l.high * (1 + (1-lowered)*u)
	}
	return l.high * (1 + (growth-1)*u)
}

func (l *without) outgrown(now time.Time) bool { return !l.forever && l.cubic.outgrown(now) }

// parts are the laws that leave out one part of cubic each.
var parts = []struct {
	name string
	new  func() law
}{
	{name: "nothing", new: newCubic},
	{name: "the curve: straight lines", new: func() law { return &without{straight: true} }},
	{name: "the plateau by what was allowed: by what was admitted", new: func() law {
		return &without{before: func(_ *cubic, c *cycle) { c.samples = nil }}
	}},
	{name: "the burst: none is subtracted", new: func() law {
		return &without{before: func(_ *cubic, c *cycle) { c.burst = 0 }}
	}},
	{name: "the margin at the plateau", new: func() law {
		return &without{after: func(l *cubic, c *cycle) {
			if !c.first && l.pauses == pauses {
				l.high /= margin
			}
		}}
	}},
	{name: "half of the rate sent, for windows", new: func() law {
		return &without{after: func(l *cubic, c *cycle) {
			if !c.first && l.pauses == pauses {
				l.high = max(min(l.high, margin*c.allowed(0)), leastRate)
			}
		}}
	}},
	{name: "stretches of a second at least, for short windows", new: func() law {
		return &without{after: func(l *cubic, c *cycle) {
			if !c.first && l.pauses == pauses {
				l.high = max(l.high, margin*c.allowed(0))
			}
		}}
	}},
	{name: "the slow start", new: func() law {
		return &without{after: func(l *cubic, c *cycle) {
			if c.first {
				l.slowStart, l.pauses = false, pauses
			}
		}}
	}},
	{name: "the shorter way after a refusal before the plateau", new: func() law {
		return &without{after: func(l *cubic, _ *cycle) { l.pauses = pauses }}
	}},
	{name: "the loss by the square root: a fifth", new: func() law {
		sent := 0.0
		return &without{before: func(l *cubic, c *cycle) {
			if !c.first {
				sent = l.rate(c.ended)
			}
		}, after: func(l *cubic, c *cycle) {
			if !c.first && l.pauses == sharedPauses {
				l.high = max(0.8*sent, leastRate)
			}
		}}
	}},
	{name: "the end of a limit that is gone", new: func() law { return &without{forever: true} }},
}
