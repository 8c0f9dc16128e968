package whozex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// transport makes one attempt: it waits its turn, sends, and reads the whole
// bounded body, so that a body cut short is a failed attempt like any other. It
// deliberately has no CloseIdleConnections: retryablehttp would call it after each
// failure and flush a pool that others use.
type transport struct {
	reads     route
	writes    route
	own       []*http.Transport
	keys      *keyring
	deadlines *deadlines
	grace     time.Duration
	maxBytes  int64
	gate      *gate
	clock     serverClock
	log       *slog.Logger
}

func newTransport(s *settings, keys *keyring) *transport {
	t := &transport{
		keys:      keys,
		deadlines: newDeadlines(s.timeout),
		grace:     s.grace,
		maxBytes:  s.maxResponseBytes,
		gate:      newGate(s.limiter, s.maxRetryAfter),
		log:       s.logger,
	}
	t.reads, t.writes, t.own = newRoutes(s, keys)
	return t
}

// client is what retryablehttp sends by: the caller's own, copied, or a plain one.
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

func (t *transport) closeIdle() {
	for _, own := range t.own {
		own.CloseIdleConnections()
	}
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	began := time.Now()
	inTime, err := t.gate.pass(x, x.notBefore)
	if err == nil {
		if err = x.announce(t); err != nil {
			t.gate.observe(inTime, 0, nil)
		}
	}
	if err != nil {
		x.stopped = err
		closeBody(req)
		return nil, err
	}
	x.begin(t.keys.current.Load())
	x.serverTime = t.clock.at(x.sentAt)
	resp, err := t.attempt(x, req)
	x.err, x.endedAt = err, time.Now()
	if x.status != 0 {
		t.clock.observe(x.sentAt, x.header)
	}
	t.gate.observe(inTime, x.status, x.header)
	if t.log != nil {
		t.report(x, x.sentAt.Sub(began))
	}
	return resp, err
}

func (x *exchange) begin(key *apiKey) {
	x.attempts++
	x.key, x.sentAt = key, time.Now()
	x.status, x.header, x.err, x.unsent, x.over = 0, nil, nil, false, false
	x.retrying = nil
	x.body.Reset()
}

func (t *transport) attempt(x *exchange, req *http.Request) (*http.Response, error) {
	a := newAttempt(x)
	a.Context = t.deadlines.begin(x, &a.deadline)
	defer t.deadlines.end(&a.deadline)
	by := &t.reads
	if x.spends {
		by = &t.writes
	}
	resp, err := by.roundTrip(a, req)
	if err == nil && (resp == nil || resp.StatusCode == 0) {
		err = errNoResponse
	}
	if err != nil {
		x.unsent = a.end(by.sender.owned)
		return nil, attemptError(a, err)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer resp.Body.Close()
	x.status, x.header = resp.StatusCode, resp.Header
	if x.status < http.StatusOK {
		// The body of 101 Switching Protocols is the connection itself: reading it
		// would never end.
		resp.Body = http.NoBody
		return resp, nil
	}
	if err := x.readBody(resp, t.maxBytes); err != nil && (x.spends || x.status/100 == 2) {
		return nil, attemptError(a, fmt.Errorf("response cut short: %w", err))
	}
	resp.Body = http.NoBody
	return resp, nil
}

// readBody keeps what arrives, up to most bytes. A status outside 2xx says enough of
// a read even if its body is cut short; of a mutating call the rest might have
// claimed success.
func (x *exchange) readBody(resp *http.Response, most int64) error {
	if n := resp.ContentLength; n > 0 && n <= most {
		x.body.Grow(int(n) + bytes.MinRead)
	}
	x.reader = io.LimitedReader{R: resp.Body, N: most + 1}
	_, err := x.body.ReadFrom(&x.reader)
	if int64(x.body.Len()) > most {
		x.body.Truncate(int(most))
		x.over = true
		return nil
	}
	return err
}

// attemptError names the time-out of the attempt, which the transport reports
// as any other deadline.
func attemptError(ctx context.Context, err error) error {
	if cause, ok := errors.AsType[errAttemptTimeout](context.Cause(ctx)); ok {
		return cause
	}
	if cause := context.Cause(ctx); cause == errReconnects {
		return cause
	}
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

// report logs an attempt, by allow-list.
func (t *transport) report(x *exchange, waited time.Duration) {
	level := slog.LevelDebug
	if x.attempts > 1 {
		level = slog.LevelWarn
	}
	t.log.LogAttrs(x, level, "whozex request",
		slog.String("operation", string(x.op)),
		slog.Int("attempt", x.attempts),
		slog.Int("status", x.status),
		slog.Duration("duration", time.Since(x.sentAt)),
		slog.Duration("wait", waited),
	)
}
