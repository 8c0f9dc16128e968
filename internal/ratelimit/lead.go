package ratelimit

import (
	"context"
	"sync/atomic"
)

// lead lets the first request go alone, so that what its response reports
// governs the others. It is over with that response, or after leadTimeout.
type lead struct {
	taken, ended atomic.Bool
	over         chan struct{}
}

func (f *lead) wait(ctx context.Context, clock Clock) error {
	if f.ended.Load() || f.taken.CompareAndSwap(false, true) {
		return nil
	}
	select {
	case <-f.over:
	case <-clock.After(leadTimeout):
		f.end()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (f *lead) end() {
	if !f.ended.Load() && f.ended.CompareAndSwap(false, true) {
		close(f.over)
	}
}
