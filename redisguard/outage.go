package redisguard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Policy is what a [Limiter] does while Redis is away: [FailOpen] or [FailClosed].
type Policy struct {
	open  bool
	local *rate.Limiter
}

// FailOpen lets requests through under local while Redis is away. The limit is
// that of each process, so give it the shared rate divided by the number of
// processes. Nothing is refused but what does not fit its context's deadline.
func FailOpen(local *rate.Limiter) Policy { return Policy{open: true, local: local} }

// FailClosed refuses requests while Redis is away, with an error that matches
// [ErrUnavailable] and wraps that of Redis. The whozex.Client has sent nothing
// then, so that also a refused purchase is known not to be made. It is the zero
// [Policy].
func FailClosed() Policy { return Policy{} }

func (p Policy) validate() error {
	if p.open && (p.local == nil || p.local.Burst() <= 0 && p.local.Limit() != rate.Inf) {
		return errors.New("redisguard: FailOpen needs a limiter with a burst of at least 1")
	}
	return nil
}

// wait is Wait without Redis, because of err. rate.Limiter has a Wait of its own,
// but the error of that is no context.DeadlineExceeded.
func (p Policy) wait(ctx context.Context, err error) error {
	if !p.open {
		return err
	}
	slot := p.local.Reserve()
	if !slot.OK() {
		return err
	}
	if err := sleep(ctx, slot.Delay()); err != nil {
		slot.Cancel()
		return fmt.Errorf("redisguard: local limit: %w", err)
	}
	return nil
}

// outage remembers that Redis failed, so that calls need not all find out by
// waiting for it: one in each probeEvery asks.
type outage struct {
	mu    sync.Mutex
	err   error
	probe time.Time
}

const probeEvery = 500 * time.Millisecond

// check returns the error while Redis is taken to be away. Whoever is told to
// probe shall ask nonetheless.
func (o *outage) check() (probe bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return false, nil
	}
	now := time.Now()
	if now.Before(o.probe) {
		return false, o.err
	}
	o.probe = now.Add(probeEvery)
	return true, nil
}

func (o *outage) known() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *outage) settle(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.probe = err, time.Now().Add(probeEvery)
}
