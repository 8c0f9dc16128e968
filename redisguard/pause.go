package redisguard

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/whozex/whozex-go"
)

// pause is this process's copy of the shared pause. It applies without Redis too,
// and saves the calls to Redis during the pause.
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

// A later 429 with a shorter Retry-After does not shorten the pause.
var setPause = redis.NewScript(`
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[1]) then
  redis.call("SET", KEYS[1], "429", "PX", ARGV[1])
end
return 1`)

// Pause makes [Limiter.Wait] block in all processes for d, at most for
// [WithMaxPause]. A call that is already waiting notices it at its next command to
// Redis. Requests already sent are not affected. [Limiter.Transport] calls Pause for
// each 429.
//
// When Redis is down, the pause applies in this process only and the error matches
// [ErrUnavailable]. During a known outage Pause does not wait for Redis.
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
	// A pause longer than the maximum means that the clock of Redis was set back.
	return l.maxPause, l.rdb.PExpire(ctx, l.pauseKey(), l.maxPause).Err()
}
