package redisguard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/whozex/whozex-go"
)

// pause is what this process knows of the shared pause. Redis is not asked
// during it, and it holds when Redis is away.
type pause struct {
	mu    sync.Mutex
	until time.Time
}

func (p *pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

func (p *pause) extend(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

func (p *pause) wait(ctx context.Context) error {
	for d := p.left(); d > 0; d = p.left() {
		if err := sleep(ctx, d); err != nil {
			return fmt.Errorf("redisguard: %w: paused for another %s: %w",
				whozex.ErrRateLimited, d.Round(time.Millisecond), err)
		}
	}
	return ctx.Err()
}

// A pause is never made shorter by a later 429 that asks for less.
var setPause = redis.NewScript(`
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then
  redis.call("SET", KEYS[1], "429", "PX", ARGV[1])
end
return 1`)

// Pause stops [Limiter.Wait] in all processes for d, at most [WithMaxPause]. Calls
// that are waiting learn of it with their next question to Redis, requests on
// their way are not held up. [Limiter.Transport] calls it for each 429.
//
// When Redis is away, Pause holds in this process alone and returns an error that
// matches [ErrUnavailable], without waiting if that is known already.
func (l *Limiter) Pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	d = max(min(d, l.maxPause), time.Millisecond)
	l.pause.extend(d)
	if _, err := l.outage.check(); err != nil {
		return err
	}
	return l.call(ctx, func(ctx context.Context) error {
		return setPause.Run(ctx, l.rdb, []string{l.pauseKey()}, d.Milliseconds()).Err()
	})
}

func (l *Limiter) pauseKey() string { return l.name + ":pause" }

func (l *Limiter) sharedPause(ctx context.Context) (time.Duration, error) {
	d, err := l.rdb.PTTL(ctx, l.pauseKey()).Result()
	if err != nil || d <= l.maxPause {
		return d, err
	}
	// Longer than anyone may pause: as with the rate, Redis has a new clock.
	return l.maxPause, l.rdb.PExpire(ctx, l.pauseKey(), l.maxPause).Err()
}
