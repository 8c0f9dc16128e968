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
	*l = aimd{base: max(c.allowed()/2, leastRate), step: c.allowed() / 10, since: c.until}
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
	most := max(c.allowed(), leastRate)
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

func (l *seen) refused(c *cycle)                { l.perSecond = max(c.allowed(), leastRate) }
func (l *seen) resume(time.Time, time.Duration) {}
func (l *seen) rate(time.Time) float64          { return l.perSecond }
func (l *seen) outgrown(time.Time) bool         { return false }
