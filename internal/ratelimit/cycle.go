package ratelimit

import "time"

// cycle is the time from one refusal to the next.
type cycle struct {
	first    bool // nothing was refused before
	burst    int  // what the server admits at once, as far as was seen
	admitted int
	began    time.Time // the refusal before, or the start
	last     time.Time // the last admission
	ended    time.Time // this refusal
	until    time.Time // the end of the pause to come

	samples []sample
	stride  int // admissions from one sample to the next
}

// sample is how many requests had been admitted before at.
type sample struct {
	at       time.Time
	admitted int
}

const maxSamples = 256

// admit counts an admission, and notes the time of every stride-th.
func (c *cycle) admit(at time.Time) {
	c.stride = max(c.stride, 1)
	if len(c.samples) == maxSamples {
		for i := range maxSamples / 2 {
			c.samples[i] = c.samples[2*i]
		}
		c.samples = c.samples[:maxSamples/2]
		c.stride *= 2
	}
	c.last = at
	if c.admitted%c.stride == 0 {
		c.samples = append(c.samples, sample{at, c.admitted})
	}
	c.admitted++
}

func (c *cycle) pause() time.Duration { return c.until.Sub(c.ended) }

// sustained is the rate that the server admitted, pause included. The first cycle
// has none at its beginning, so the one at its end counts.
func (c *cycle) sustained() float64 {
	d := c.ended.Sub(c.began)
	if c.first {
		d = c.until.Sub(c.began)
	}
	return float64(c.admitted) / max(d, time.Millisecond).Seconds()
}

// allowed is the rate that the server is seen to allow. In any stretch of time it
// admits no more than a burst and what it has refilled meanwhile. So what it
// admitted above the burst is the least that it refilled, and all of it if the
// burst was whole at the stretch's beginning and spent at its end. A refusal is
// such an end, and a client that was slower than the limit such a beginning. Of a
// window shorter than the pause a stretch below least shows two bursts, not the rate.
func (c *cycle) allowed(least time.Duration) float64 {
	most := c.sustained()
	for _, s := range c.samples {
		if d := c.last.Sub(s.at); d > 0 && d >= least {
			// Between nothing and one request of the refill was left at the end.
			refilled := float64(c.admitted-s.admitted-c.burst) + 0.5
			most = max(most, refilled/d.Seconds())
		}
	}
	return most
}
