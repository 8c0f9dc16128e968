package redisguard

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrUnavailable means that Redis could not be asked: it is gone, still
// starting, responds with an error, or does not answer within [WithTimeout]. The
// error that matches it wraps that of Redis as well.
var ErrUnavailable = errors.New("redisguard: Redis is unavailable")

// slowError is no response in time. It is no context.DeadlineExceeded, which would
// read as the caller's deadline.
type slowError struct {
	after time.Duration
	last  error // what was wrong until then, if the Redis client told
}

func (e *slowError) Error() string {
	if e.last != nil {
		return fmt.Sprintf("no answer within %s: %v", e.after, e.last)
	}
	return fmt.Sprintf("no answer within %s", e.after)
}
func (e *slowError) Unwrap() error { return e.last }
func (e *slowError) Timeout() bool { return true }

// A call whose context has ended gets this long to say what was wrong.
const lastWords = 20 * time.Millisecond

// within calls Redis and waits for d at most. The call gets a context that ends
// then, but a Redis client without ContextTimeoutEnabled reads on, so it is left
// behind if it must. The error is the context's, or matches ErrUnavailable.
// undo, if given, runs in the background when a call has failed or was left behind,
// once it has returned: it may have done its work nonetheless.
func within(ctx context.Context, d time.Duration, call func(context.Context) error, undo func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, d)
	answer := make(chan error, 1)
	var settled atomic.Bool
	go func() {
		defer cancel()
		err := call(bounded)
		answer <- err
		leftBehind := !settled.CompareAndSwap(false, true)
		if undo != nil && (leftBehind || err != nil) {
			undo()
		}
	}()
	err := receive(bounded, answer)
	if err == errNoAnswer && !settled.CompareAndSwap(false, true) {
		err = <-answer
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err == errNoAnswer, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		err = &slowError{after: d}
	case bounded.Err() == context.DeadlineExceeded:
		err = &slowError{after: d, last: err}
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

var errNoAnswer = errors.New("no answer")

func receive(ctx context.Context, answer <-chan error) error {
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err
	case <-timer.C:
		return errNoAnswer
	}
}

// sleep waits for d, unless the context ends or would end before that.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	if !fits(ctx, d) {
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

func fits(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= d
}
