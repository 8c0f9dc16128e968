package ratelimit

import "time"

// cycle is the time from one refusal to the next.
type cycle struct {
	first    bool // nothing was refused before
	burst    int  // what the server lets through at once, as far as was seen
	admitted int
	began    time.Time // the refusal before, or the start
	resumed  time.Time // the end of the pause after it
	ended    time.Time // this refusal
	until    time.Time // the end of the pause to come

	samples []sample
	stride  int // admissions between two samples
}

// sample is how many had been admitted before at.
type sample struct {
	at       time.Time
	admitted int
}

const maxSamples = 256

// admit counts an admission. Every so often it keeps the time, ever less often
// as the cycle goes on.
func (c *cycle) admit(at time.Time) {
	if c.stride == 0 {
		c.stride = 1
	}
	if c.admitted%c.stride == 0 {
		if len(c.samples) == maxSamples {
			for i := range maxSamples / 2 {
				c.samples[i] = c.samples[2*i]
			}
			c.samples = c.samples[:maxSamples/2]
			c.stride *= 2
		}
		if c.admitted%c.stride == 0 {
			c.samples = append(c.samples, sample{at, c.admitted})
		}
	}
	c.admitted++
}

// sustained is what the server surely allows: it admitted that much with the
// pause included. The pause is counted at the end of the first cycle, which has
// none at its beginning.
func (c *cycle) sustained() float64 {
	if c.first {
		return perSecond(c.admitted, c.until.Sub(c.began))
	}
	return perSecond(c.admitted, c.ended.Sub(c.began))
}

// refilled is the rate at which the server fills its bucket. In any stretch of
// time it admits a burst at most and what it has filled meanwhile, so what it
// admitted above the burst is at most what it filled; in the stretch that began
// with a full bucket and ended with an empty one, exactly that.
func (c *cycle) refilled() float64 {
	best := 0.0
	for _, s := range c.samples {
		if d := c.ended.Sub(s.at); d > 0 {
			best = max(best, (float64(c.admitted-s.admitted-c.burst)+0.5)/d.Seconds())
		}
	}
	return best
}

func perSecond(n int, d time.Duration) float64 {
	return float64(n) / max(d, time.Millisecond).Seconds()
}
