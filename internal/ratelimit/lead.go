package ratelimit

import (
	"context"
	"sync/atomic"
	"time"
)

// leadTimeout bounds the wait for the response to the first request.
const leadTimeout = 3 * time.Second

// lead lets the first request go alone, so that what its response reports
// governs the others. It is over with that response, or after leadTimeout.
type lead struct {
	taken, ended atomic.Bool
	over         chan struct{}
}

// wait reports whether the caller's request is the first.
func (f *lead) wait(ctx context.Context, clock Clock) (first bool, err error) {
	if f.ended.Load() {
		return false, nil
	}
	if f.taken.CompareAndSwap(false, true) {
		return true, nil
	}
	select {
	case <-f.over:
	case <-clock.After(leadTimeout):
		f.end()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return false, nil
}

func (f *lead) end() {
	if !f.ended.Load() && f.ended.CompareAndSwap(false, true) {
		close(f.over)
	}
}
