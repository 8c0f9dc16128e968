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

// Limiter is a whozex.Limiter that all processes with the same Redis and name
// share. Make one with [NewLimiter], one a process; it is safe for concurrent
// use.
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
	turn    chan struct{} // held by the one call that asks Redis
}

// NewLimiter returns a limiter that lets limit.Rate requests through in each
// limit.Period, over all processes, and limit.Burst at once after a rest: in no
// stretch of time more than its share and the burst. Note that
// redis_rate.PerSecond(n) has a burst of n. With a burst of 1 every delay on the
// way to Redis is lost, so take a few for the full rate. All processes must be
// given the same limit. A process asks for one turn at a time, with two round trips
// to Redis for each.
//
// onOutage says what happens while Redis is away. rdb stays the caller's;
// its time-outs are of no matter, see [WithTimeout]. NewLimiter does not talk to
// Redis, so a process may start before it.
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
		turn:     make(chan struct{}, 1),
	}, nil
}

// Wait blocks until the next request may go out: until the pause after a 429 of
// any process is over, and there is room in the shared rate. A wait that cannot
// end before the context's deadline fails at once; the error then matches
// context.DeadlineExceeded, and during a pause whozex.ErrRateLimited as well.
//
// When Redis does not answer in time or responds with an error, the [Policy]
// decides, at once: [FailOpen] waits for the local limit, [FailClosed] returns an
// error that matches [ErrUnavailable]. Redis is asked again twice a second, by
// one call at a time, until it is back. A pause that this process knows of holds
// without Redis too.
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

// shared waits for a turn at the shared rate, or returns errPaused as soon as it
// learns of a pause.
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
		// Those ahead may have learnt what need not be asked again.
		if l.pause.left() > 0 {
			return errPaused
		}
		if err := l.outage.known(); err != nil && !probe {
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

// enter waits until no other call of this process asks Redis. With many asking,
// each turn at the limit would cost as many questions, all but one in vain.
func (l *Limiter) enter(ctx context.Context) error {
	ahead := l.waiting.Add(1) - 1
	least := time.Duration(ahead-int64(l.limit.Burst)) * l.interval()
	if !fits(ctx, least) {
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

// ask takes a turn, or returns how long it is until there may be one.
func (l *Limiter) ask(ctx context.Context) (time.Duration, error) {
	var wait, paused time.Duration
	err := l.call(ctx, func(ctx context.Context) (err error) {
		if paused, err = l.sharedPause(ctx); err != nil || paused > 0 {
			return err
		}
		turn, err := l.rate.Allow(ctx, l.name, l.limit)
		if err != nil {
			return err
		}
		wait = max(turn.RetryAfter, 0)
		if turn.Allowed == 0 {
			wait = max(wait, time.Millisecond)
		}
		if wait > l.interval()+time.Second {
			// No turn is further away than one interval: the clock of Redis was
			// set back, or Redis has moved to a machine that is behind. What it
			// remembers would hold everyone for as long.
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
	err := within(ctx, l.timeout, call, nil)
	if err == nil || errors.Is(err, ErrUnavailable) {
		l.outage.settle(err)
	}
	return err
}
