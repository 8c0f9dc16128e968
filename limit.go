package whozex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/internal/ratelimit"
	"github.com/whozex/whozex-go/internal/ratelimit/headers"
)

// limiter combines the adaptive limiter, whose pauses hold for all calls, and the
// caller's own.
type limiter struct {
	given    Limiter // nil for none
	adaptive *ratelimit.Limiter
}

func newLimiter(given Limiter, maxPause time.Duration) *limiter {
	return &limiter{given: given, adaptive: ratelimit.New(ratelimit.System{}, maxPause)}
}

// wait returns when the next attempt may be sent. The caller passes the pass to observe.
// A wait that cannot end before the context's deadline fails at once.
func (l *limiter) wait(ctx context.Context) (ratelimit.Pass, error) {
	for {
		pass, err := l.adaptive.Wait(ctx)
		if _, held := errors.AsType[*ratelimit.WaitError](err); held {
			return pass, fmt.Errorf("%w: %w", ErrRateLimited, err)
		}
		if err != nil || l.given == nil {
			return pass, err
		}
		if err = l.given.Wait(ctx); err == nil && l.adaptive.Current(pass) {
			return pass, nil
		}
		// Another call may have received a 429 meanwhile.
		l.observe(pass, 0, nil)
		if err != nil {
			return pass, fmt.Errorf("limiter: %w", err)
		}
	}
}

// observe reports the response to the attempt of pass; status is 0 without one.
func (l *limiter) observe(pass ratelimit.Pass, status int, header http.Header) {
	o := ratelimit.Outcome{Unanswered: status == 0}
	if header != nil {
		o.Quota = headers.Quota(header)
	}
	if status == http.StatusTooManyRequests {
		o.Refused, o.RetryAfter = true, headers.RetryAfter(header)
	}
	l.adaptive.Done(pass, o)
}
