package redisguard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Policy decides what a [Limiter] does while Redis is down: [FailOpen] or [FailClosed].
type Policy struct {
	open  bool
	local *rate.Limiter
}

// FailOpen limits requests by local while Redis is down. Each process has such a
// limit, so divide the shared rate by the number of processes. A call fails only
// if it would have to wait beyond its context's deadline.
func FailOpen(local *rate.Limiter) Policy { return Policy{open: true, local: local} }

// FailClosed refuses requests while Redis is down, with an error that matches
// [ErrUnavailable] and wraps that of the Redis client. The whozex.Client then
// sends nothing, so a refused purchase was certainly not made. It is the zero value
// of [Policy].
func FailClosed() Policy { return Policy{} }

func (p Policy) validate() error {
	if p.open && (p.local == nil || p.local.Burst() <= 0 && p.local.Limit() != rate.Inf) {
		return errors.New("redisguard: FailOpen needs a limiter with a burst of at least 1")
	}
	return nil
}

// wait waits for the local limit after Redis failed with err. The error of
// rate.Limiter.Wait does not match context.DeadlineExceeded, so it is not used.
func (p Policy) wait(ctx context.Context, err error) error {
	if !p.open {
		return err
	}
	reservation := p.local.Reserve()
	if !reservation.OK() {
		return err
	}
	if err := sleep(ctx, reservation.Delay()); err != nil {
		reservation.Cancel()
		return fmt.Errorf("redisguard: local limit: %w", err)
	}
	return nil
}

// outage remembers that Redis failed, so that other calls fail without waiting
// for it. One call in each probeInterval tries Redis again.
type outage struct {
	mu        sync.Mutex
	err       error
	nextProbe time.Time
	hook      func(error) // nil without WithOnOutage
}

const probeInterval = 500 * time.Millisecond

// check returns the error of an outage. If probe is true, it returns no error and
// the caller must try Redis.
func (o *outage) check() (probe bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return false, nil
	}
	now := time.Now()
	if now.Before(o.nextProbe) {
		return false, o.err
	}
	o.nextProbe = now.Add(probeInterval)
	return true, nil
}

func (o *outage) current() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

func (o *outage) record(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.hook != nil && (o.err == nil) != (err == nil) {
		o.hook(err) // under the lock, so that hooks see the changes in their order
	}
	o.err, o.nextProbe = err, time.Now().Add(probeInterval)
}
