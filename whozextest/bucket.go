package whozextest

import "time"

// bucket is a token bucket; without a rate it lets everything through.
type bucket struct {
	perSecond, burst, tokens float64
	last                     time.Time
}

func newBucket(perSecond float64, burst int) bucket {
	return bucket{perSecond: perSecond, burst: float64(burst), tokens: float64(burst)}
}

// take takes a token, or returns how long to wait for one.
func (b *bucket) take(now time.Time) time.Duration {
	if b.perSecond == 0 {
		return 0
	}
	if !b.last.IsZero() {
		b.tokens = min(b.burst, b.tokens+now.Sub(b.last).Seconds()*b.perSecond)
	}
	b.last = now
	if b.tokens < 1 {
		return max(1, time.Duration((1-b.tokens)/b.perSecond*float64(time.Second)))
	}
	b.tokens--
	return 0
}
