package redisguard

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
)

// Limiter is a whozex.Limiter shared by all processes that use the same Redis and
// the same name. Create one in each process with [NewLimiter]. It is safe for
// concurrent use.
type Limiter struct {
	rdb      redis.UniversalClient
	rate     *redis_rate.Limiter
	limit    redis_rate.Limit
	policy   Policy
	name     string
	timeout  time.Duration
	maxPause time.Duration

	outage outage
	pause  pause

	waiting atomic.Int64
	turn    chan struct{} // a semaphore: one call at a time asks Redis
}

// NewLimiter returns a limiter that allows limit.Rate requests in each
// limit.Period over all processes, and bursts of limit.Burst requests. All
// processes must use the same limit. Note that redis_rate.PerSecond(n) has a burst
// of n. With a burst of 1, the time of each round trip to Redis lowers the
// rate that can be reached; use a burst of at least 5. A process asks for one
// request at a time, in two round trips to Redis.
//
// onOutage decides what happens while Redis is down. The caller closes rdb; its
// timeouts do not matter, see [WithTimeout]. NewLimiter does not connect to
// Redis, so a process can start before Redis does.
func NewLimiter(rdb redis.UniversalClient, limit redis_rate.Limit, onOutage Policy, opts ...Option) (*Limiter, error) {
	s, err := configure(forLimiter, opts)
	if err != nil {
		return nil, err
	}
	if rdb == nil {
		return nil, errors.New("redisguard: NewLimiter: no Redis client")
	}
	if limit.Rate <= 0 || limit.Burst <= 0 || limit.Period <= 0 {
		return nil, fmt.Errorf("redisguard: NewLimiter: rate, burst and period must be positive, not %d, %d and %s",
			limit.Rate, limit.Burst, limit.Period)
	}
	if err := onOutage.validate(); err != nil {
		return nil, err
	}
	return &Limiter{
		rdb:      rdb,
		rate:     redis_rate.NewLimiter(rdb),
		limit:    limit,
		policy:   onOutage,
		name:     s.name,
		timeout:  s.timeout,
		maxPause: s.maxPause,
		outage:   outage{hook: s.onOutage},
		turn:     make(chan struct{}, 1),
	}, nil
}

// Wait blocks until the next request may be sent: until the pause after a 429 in
// any process is over and the shared limit allows a request. If that cannot happen
// before the context's deadline, Wait fails at once. The error matches
// context.DeadlineExceeded, and during a pause also whozex.ErrRateLimited.
//
// When Redis does not reply in time or returns an error, the [Policy] decides at
// once: [FailOpen] waits for the local limit, [FailClosed] returns an error that
// matches [ErrUnavailable]. Until Redis is back, one call every half second tries
// it again. A pause that this process knows about applies without Redis too.
func (l *Limiter) Wait(ctx context.Context) error {
	for {
		if err := l.pause.wait(ctx); err != nil {
			return err
		}
		switch err := l.shared(ctx); {
		case err == errPaused:
		case errors.Is(err, ErrUnavailable):
			return l.policy.wait(ctx, err)
		default:
			return err
		}
	}
}

var errPaused = errors.New("paused")

// shared waits until the shared limit allows a request. It returns errPaused as
// soon as there is a pause.
func (l *Limiter) shared(ctx context.Context) error {
	probe, err := l.outage.check()
	if err != nil {
		return err
	}
	if err := l.enter(ctx); err != nil {
		return fmt.Errorf("redisguard: waiting for a turn: %w", err)
	}
	defer l.leave()
	for {
		// A call ahead of this one may have found a pause or an outage.
		if l.pause.left() > 0 {
			return errPaused
		}
		if err := l.outage.current(); err != nil && !probe {
			return err
		}
		d, err := l.ask(ctx)
		if err != nil || d <= 0 {
			return err
		}
		if err := sleep(ctx, d); err != nil {
			return fmt.Errorf("redisguard: shared limit: %w", err)
		}
	}
}

// enter waits until no other call in this process asks Redis. If all of them
// asked at the same time, Redis would refuse all but one each time.
func (l *Limiter) enter(ctx context.Context) error {
	ahead := l.waiting.Add(1) - 1
	minWait := time.Duration(ahead-int64(l.limit.Burst)) * l.interval()
	if !endsBeforeDeadline(ctx, minWait) {
		l.waiting.Add(-1)
		return context.DeadlineExceeded
	}
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		l.waiting.Add(-1)
		return ctx.Err()
	}
}

func (l *Limiter) leave() {
	<-l.turn
	l.waiting.Add(-1)
}

func (l *Limiter) interval() time.Duration {
	return l.limit.Period / time.Duration(l.limit.Rate)
}

// ask asks Redis for one request. It returns 0 if the request is allowed, else
// the time until the next try.
func (l *Limiter) ask(ctx context.Context) (time.Duration, error) {
	var wait, paused time.Duration
	err := l.call(ctx, func(ctx context.Context) (err error) {
		if paused, err = l.sharedPause(ctx); err != nil || paused > 0 {
			return err
		}
		result, err := l.rate.Allow(ctx, l.name, l.limit)
		if err != nil {
			return err
		}
		wait = max(result.RetryAfter, 0)
		if result.Allowed == 0 {
			wait = max(wait, time.Millisecond)
		}
		if wait > l.interval()+time.Second {
			// A wait is never longer than one interval, so the clock of Redis was
			// set back, or Redis moved to a machine whose clock is behind. Without
			// a reset, everyone would wait until the clock catches up.
			wait = time.Millisecond
			return l.rate.Reset(ctx, l.name)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if paused > 0 {
		l.pause.extend(paused)
		return 0, errPaused
	}
	return wait, nil
}

func (l *Limiter) call(ctx context.Context, call func(context.Context) error) error {
	err := callWithTimeout(ctx, l.timeout, call, nil)
	if err == nil || errors.Is(err, ErrUnavailable) {
		l.outage.record(err)
	}
	return err
}
