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

	"github.com/hashicorp/go-cleanhttp"
)

// transport makes one attempt: it waits its turn, sets the headers, sends, and
// reads the whole bounded body, so that a body cut short is a failed attempt
// like any other. It deliberately has no CloseIdleConnections: retryablehttp
// would call it after each failure and flush a pool that others use.
type transport struct {
	reads     http.RoundTripper
	spends    http.RoundTripper
	own       []*http.Transport
	keys      *keyring
	userAgent []string
	deadlines *deadlines
	maxBytes  int64
	gate      *gate
	log       *slog.Logger
}

// Idle connections for spends are dropped this soon. It lies well below the
// idle time-outs of servers, so that none closes a connection just as a spend
// is written to it.
const spendIdleTimeout = 500 * time.Millisecond

const idlePerHost = 128

func newTransport(s *settings, keys *keyring) *transport {
	t := &transport{
		keys:      keys,
		userAgent: []string{s.userAgent},
		deadlines: newDeadlines(s.timeout),
		maxBytes:  s.maxResponseBytes,
		gate:      newGate(s.limiter, s.maxRetryAfter),
		log:       s.logger,
	}
	if s.httpClient == nil {
		pooled := cleanhttp.DefaultPooledTransport()
		pooled.MaxIdleConns, pooled.MaxIdleConnsPerHost = idlePerHost, idlePerHost
		t.own, t.reads = append(t.own, pooled), pooled
	} else if t.reads = s.httpClient.Transport; t.reads == nil {
		t.reads = http.DefaultTransport
	}
	t.spends = t.reads
	if pooled, ok := t.reads.(*http.Transport); ok {
		short := pooled.Clone()
		if short.IdleConnTimeout == 0 || short.IdleConnTimeout > spendIdleTimeout {
			short.IdleConnTimeout = spendIdleTimeout
		}
		t.own, t.spends = append(t.own, short), short
	}
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

var (
	acceptJSON = []string{"application/json"}
	sendJSON   = []string{"application/json"}
)

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	began := time.Now()
	inTime, err := t.gate.pass(x, x.notBefore)
	if err == nil {
		err = x.announce()
	}
	if err != nil {
		x.stopped = err
		closeBody(req)
		return nil, err
	}
	x.begin(inTime, t.keys.current.Load())
	resp, err := t.attempt(x, req)
	x.err = err
	if x.status != 0 {
		t.gate.observe(inTime, x.status, parseRetryAfter(x.header))
	}
	if t.log != nil {
		t.report(x, x.sentAt.Sub(began))
	}
	return resp, err
}

func (x *exchange) begin(inTime *epoch, key *apiKey) {
	x.attempts++
	x.key, x.inTime, x.sentAt = key, inTime, time.Now()
	x.status, x.header, x.err, x.unsent, x.over = 0, nil, nil, false, false
	x.retrying = nil
	x.body.Reset()
}

func (t *transport) attempt(x *exchange, req *http.Request) (*http.Response, error) {
	ctx := t.deadlines.begin(x, &x.deadline)
	defer t.deadlines.end(&x.deadline)
	base, marks := t.reads, (*trail)(nil)
	if x.spends {
		base, marks = t.spends, new(trail)
		ctx = marks.follow(ctx)
	}
	// Each attempt has headers of its own: the transport may still be reading
	// those of one that timed out.
	out := req.WithContext(ctx)
	out.Header = make(http.Header, 5)
	for name, values := range req.Header {
		out.Header[name] = values
	}
	out.Header[t.keys.name] = x.key.header
	out.Header["User-Agent"] = t.userAgent
	out.Header["Accept"] = acceptJSON
	if x.request != nil {
		out.Header["Content-Type"] = sendJSON
	}
	resp, err := base.RoundTrip(out)
	if err != nil {
		x.unsent = marks != nil && marks.unsent(err)
		return nil, attemptError(ctx, err)
	}
	defer resp.Body.Close()
	x.status, x.header = resp.StatusCode, resp.Header
	if err := x.readBody(resp, t.maxBytes); err != nil && x.status/100 == 2 {
		return nil, attemptError(ctx, fmt.Errorf("answer cut short: %w", err))
	}
	resp.Body = http.NoBody
	return resp, nil
}

// readBody keeps what arrives, up to most bytes. What is cut short of an answer
// outside 2xx is kept as it is: its status says enough.
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
