package whozex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/internal/wire"
)

// transport makes one attempt: it waits for the limiter, sends, and reads the whole
// bounded body, so that a truncated body fails the attempt like any other error. It has
// no CloseIdleConnections, because retryablehttp would call it after each failure and
// close connections of the shared pool.
type transport struct {
	*settings
	wire     *wire.Transport
	keys     *keyring
	limiter  *limiter
	clock    serverClock
	timedOut error
}

func newTransport(s *settings, keys *keyring) *transport {
	return &transport{
		settings: s,
		keys:     keys,
		limiter:  newLimiter(s.limiter, s.maxRetryAfter),
		timedOut: &errAttemptTimeout{s.timeout},
		wire: wire.New(wire.Config{
			Base: s.base, Client: s.httpClient, Middleware: s.middleware, KeyHeader: keys.name, UserAgent: s.userAgent,
		}),
	}
}

// client returns the http.Client for retryablehttp: a copy of the caller's, or a new one.
func (t *transport) client(given *http.Client) *http.Client {
	var client http.Client
	if given != nil {
		client = *given
	}
	client.Transport = t
	client.Timeout = 0
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	s := callStateOf(ctx)
	var began time.Time
	if t.log != nil {
		began = time.Now()
	}
	pass, err := t.limiter.wait(ctx)
	if err == nil {
		if err = t.notify(ctx, s); err != nil {
			t.limiter.observe(pass, 0, nil)
		}
	}
	if err != nil {
		s.stopped = err
		return nil, err
	}
	a := s.newAttempt(t.keys.current.Load())
	if a.Mutating {
		a.serverTime = t.clock.at(a.sentAt)
	}
	resp, err := t.attempt(ctx, s, a, req)
	a.err = err
	if a.Mutating || t.observed() { // for any other, the clock would be 2% of a call in process
		a.endedAt = time.Now()
		s.onWire += a.endedAt.Sub(a.sentAt)
	}
	if a.status != 0 {
		t.clock.observe(a.sentAt, a.header)
	}
	t.limiter.observe(pass, a.status, a.header)
	if t.log != nil {
		t.log.attempt(ctx, a, a.sentAt.Sub(began))
	}
	return resp, err
}

func (t *transport) attempt(ctx context.Context, s *callState, a *attempt, req *http.Request) (resp *http.Response, err error) {
	ctx = a.Start(ctx, s.options.timeout, t.timedOutAfter(s.options.timeout))
	defer a.Stop()
	if resp, a.unsent, err = t.wire.Send(ctx, &a.Attempt, req); err != nil {
		return nil, attemptError(ctx, err)
	}
	a.status, a.header = resp.StatusCode, resp.Header
	// The body of 101 Switching Protocols is the connection itself, which does not end.
	if a.status >= http.StatusOK {
		a.body, a.tooLong, err = readBody(resp, t.maxResponseBytes)
		// For a read, a status outside 2xx is enough even if its body is truncated. For a
		// mutating call the rest might have reported success.
		if err != nil && (a.Mutating || a.status/100 == 2) {
			return nil, attemptError(ctx, fmt.Errorf("response truncated: %w", err))
		}
	}
	resp.Body = http.NoBody
	return resp, nil
}

// attemptError returns the reason for which the attempt ended its own context, instead of
// the transport's error.
func attemptError(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if _, timedOut := errors.AsType[*errAttemptTimeout](cause); timedOut || cause == wire.ErrReconnects {
		return cause
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// errAttemptTimeout is the timeout of [WithTimeout] or [AttemptTimeout].
type errAttemptTimeout struct{ after time.Duration }

func (t *transport) timedOutAfter(d time.Duration) error {
	if d == t.timeout {
		return t.timedOut // made once
	}
	return &errAttemptTimeout{d}
}

func (e *errAttemptTimeout) Error() string {
	return fmt.Sprintf("no complete response within %s", e.after)
}
func (e *errAttemptTimeout) Timeout() bool   { return true }
func (e *errAttemptTimeout) Temporary() bool { return true }
func (e *errAttemptTimeout) Unwrap() error   { return context.DeadlineExceeded }
