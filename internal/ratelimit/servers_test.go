package ratelimit

import (
	"math"
	"time"
)

// counter admits or refuses requests. left is how long a refused one should
// wait, as exactly as the counter knows.
type counter interface {
	admit(now time.Time) (ok bool, left time.Duration)
	quota(now time.Time) Quota
}

// tokens is a token bucket.
type tokens struct {
	rate, burst, have float64
	last              time.Time
}

func newTokens(rate float64, burst int, now time.Time) *tokens {
	return &tokens{rate: rate, burst: float64(burst), have: float64(burst), last: now}
}

func (b *tokens) fill(now time.Time) {
	b.have = math.Min(b.burst, b.have+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
}

func (b *tokens) admit(now time.Time) (bool, time.Duration) {
	b.fill(now)
	if b.have < 1-1e-9 {
		return false, seconds((1 - b.have) / b.rate)
	}
	b.have--
	return true, 0
}

// A bucket reports the shortest window of whole seconds that has room for a burst,
// as the sandbox does.
func (b *tokens) quota(now time.Time) Quota {
	b.fill(now)
	return bucketQuota(b.rate, b.burst, b.have)
}

func bucketQuota(rate, burst, have float64) Quota {
	window := math.Max(1, math.Ceil(burst/rate))
	return Quota{Limit: max(1, int(rate*window+1e-9)), Remaining: int(have), Window: seconds(window), Reset: seconds((burst - have) / rate)}
}

func perWindow(rate float64) (int, time.Duration) {
	window := math.Max(1, math.Ceil(1/rate))
	return int(rate*window + 1e-9), seconds(window)
}

// leaky is a leaky bucket used as a meter: what is admitted fills it and it
// leaks steadily. A request that would make it overflow is refused.
type leaky struct {
	rate, size, level float64
	last              time.Time
}

func newLeaky(rate float64, burst int, now time.Time) *leaky {
	return &leaky{rate: rate, size: float64(burst), last: now}
}

func (b *leaky) leak(now time.Time) {
	b.level = math.Max(0, b.level-now.Sub(b.last).Seconds()*b.rate)
	b.last = now
}

// A leaky bucket is emptied before it takes more once it has overflowed.
func (b *leaky) admit(now time.Time) (bool, time.Duration) {
	b.leak(now)
	if b.level+1 > b.size+1e-9 {
		return false, seconds(b.level / b.rate)
	}
	b.level++
	return true, 0
}

func (b *leaky) quota(now time.Time) Quota {
	b.leak(now)
	return bucketQuota(b.rate, b.size, b.size-b.level)
}

// fixed counts in windows that begin by the clock.
type fixed struct {
	limit   int
	window  time.Duration
	current int64
	used    int
}

func newFixed(rate float64, burst int, _ time.Time) *fixed {
	return &fixed{limit: burst, window: seconds(float64(burst) / rate)}
}

func (f *fixed) turn(now time.Time) time.Duration {
	if at := now.UnixNano() / int64(f.window); at != f.current {
		f.current, f.used = at, 0
	}
	return f.window - time.Duration(now.UnixNano()%int64(f.window))
}

func (f *fixed) admit(now time.Time) (bool, time.Duration) {
	left := f.turn(now)
	if f.used >= f.limit {
		return false, left
	}
	f.used++
	return true, 0
}

func (f *fixed) quota(now time.Time) Quota {
	left := f.turn(now)
	if f.window < time.Second {
		limit, window := perWindow(float64(f.limit) / f.window.Seconds())
		return Quota{Limit: limit, Remaining: f.limit - f.used, Window: window, Reset: left}
	}
	return Quota{Limit: f.limit, Remaining: f.limit - f.used, Window: f.window, Reset: left}
}

// sliding allows so many in any stretch of a window.
type sliding struct {
	limit  int
	window time.Duration
	log    []time.Time
}

func newSliding(rate float64, burst int, _ time.Time) *sliding {
	return &sliding{limit: burst, window: seconds(float64(burst) / rate)}
}

func (s *sliding) slide(now time.Time) {
	for len(s.log) > 0 && now.Sub(s.log[0]) >= s.window {
		s.log = s.log[1:]
	}
}

func (s *sliding) admit(now time.Time) (bool, time.Duration) {
	s.slide(now)
	if len(s.log) >= s.limit {
		return false, s.window - now.Sub(s.log[0])
	}
	s.log = append(s.log, now)
	return true, 0
}

// The reset is when the oldest request leaves the window, as Python's limits has it.
func (s *sliding) quota(now time.Time) Quota {
	s.slide(now)
	reset := time.Duration(0)
	if len(s.log) > 0 {
		reset = s.window - now.Sub(s.log[0])
	}
	limit, window := s.limit, s.window
	if window < time.Second {
		limit, window = perWindow(float64(limit) / window.Seconds())
	}
	return Quota{Limit: limit, Remaining: s.limit - len(s.log), Window: window, Reset: reset}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// up rounds to whole seconds, as headers do.
func up(d time.Duration) time.Duration { return (d + time.Second - 1) / time.Second * time.Second }
