package whozex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/internal/ratelimit"
)

// gate is what every attempt passes on its way out: the adaptive limiter, whose
// pauses hold for all calls, and next to the wire the caller's limiter.
type gate struct {
	limiter  Limiter
	adaptive *ratelimit.Limiter
}

func newGate(limiter Limiter, maxPause time.Duration) *gate {
	return &gate{limiter: limiter, adaptive: ratelimit.New(ratelimit.System{}, maxPause)}
}

// pass waits until the next attempt may go out, but for at least notBefore. What
// it returns is to be handed to observe. A wait that cannot end before the
// context's deadline fails at once.
func (g *gate) pass(ctx context.Context, notBefore time.Time) (ratelimit.Pass, error) {
	if !notBefore.IsZero() {
		if err := sleepUntil(ctx, notBefore); err != nil {
			return ratelimit.Pass{}, err
		}
	}
	for {
		pass, err := g.adaptive.Wait(ctx)
		if _, held := errors.AsType[*ratelimit.WaitError](err); held {
			return pass, fmt.Errorf("%w: %w", ErrRateLimited, err)
		}
		if err != nil || g.limiter == nil {
			return pass, err
		}
		if err = g.limiter.Wait(ctx); err == nil && g.adaptive.Current(pass) {
			return pass, nil
		}
		// A 429 may have come to another call meanwhile.
		g.observe(pass, 0, nil)
		if err != nil {
			return pass, fmt.Errorf("limiter: %w", err)
		}
	}
}

// observe takes the response to an attempt that pass permitted; status is 0 if
// none came.
func (g *gate) observe(pass ratelimit.Pass, status int, header http.Header) {
	o := ratelimit.Outcome{Unanswered: status == 0}
	if header != nil {
		o.Quota = quotaOf(header, time.Now())
	}
	if status == http.StatusTooManyRequests {
		o.Refused, o.RetryAfter = true, parseRetryAfter(header)
	}
	g.adaptive.Done(pass, o)
}

// sleepUntil waits for t, unless the context ends or would end before it.
func sleepUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(t) {
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
