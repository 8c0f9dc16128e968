package redisguard

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrUnavailable means that a command failed in Redis: Redis is down or still
// starting, returned an error, or did not reply within [WithTimeout]. An error
// that matches it also wraps the error of the Redis client.
var ErrUnavailable = errors.New("redisguard: Redis is unavailable")

// timeoutError means that Redis did not reply in time. It does not match
// context.DeadlineExceeded, because the caller's own deadline has not passed.
type timeoutError struct {
	timeout time.Duration
	cause   error // the Redis client's last error, or nil
}

func (e *timeoutError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("no reply within %s: %v", e.timeout, e.cause)
	}
	return fmt.Sprintf("no reply within %s", e.timeout)
}
func (e *timeoutError) Unwrap() error { return e.cause }
func (e *timeoutError) Timeout() bool { return true }

// gracePeriod is how long a call may take to return its error after its context
// has ended. That error is usually more specific than "no reply".
const gracePeriod = 20 * time.Millisecond

// callWithTimeout runs call and waits at most timeout for it. The call's context
// ends then, but a Redis client without ContextTimeoutEnabled keeps reading; such
// a call is abandoned and finishes in the background. The returned error is that
// of ctx, or matches ErrUnavailable.
//
// A call that failed or was abandoned may still have taken effect in Redis. If
// undo is not nil, it then runs in the background after the call has returned.
func callWithTimeout(ctx context.Context, timeout time.Duration, call func(context.Context) error, undo func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	callCtx, cancel := context.WithTimeout(ctx, timeout)
	result := make(chan error, 1)
	var decided atomic.Bool // whether the call was received or abandoned
	go func() {
		defer cancel()
		err := call(callCtx)
		result <- err
		abandoned := !decided.CompareAndSwap(false, true)
		if undo != nil && (abandoned || err != nil) {
			undo()
		}
	}()
	err := receive(callCtx, result)
	if err == errNoReply && !decided.CompareAndSwap(false, true) {
		err = <-result
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err == errNoReply, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		err = &timeoutError{timeout: timeout}
	case callCtx.Err() == context.DeadlineExceeded:
		err = &timeoutError{timeout: timeout, cause: err}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

var errNoReply = errors.New("no reply")

func receive(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(gracePeriod)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		return errNoReply
	}
}

// sleep waits for d. It returns an error at once if the context would end first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if !endsBeforeDeadline(ctx, d) {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func endsBeforeDeadline(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= d
}
