package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Attempt is one request of a call. It must not be reused: middleware may keep its
// context after the call has ended.
type Attempt struct {
	Operation string
	Number    int // from 1
	Key       *Key
	Payload   []byte // JSON, nil for none
	Mutating  bool

	out   http.Request // without middleware; a field to save an allocation
	ctx   attemptContext
	timer *time.Timer

	mu        sync.Mutex
	response  io.ReadCloser // nil until there is one
	running   int           // senders in progress
	newConns  int           // connections made for this attempt alone
	entered   bool          // the sender has received the request
	connected bool          // the transport got a connection to write to
	ended     bool          // nothing may be sent any more
	closed    bool          // by the timeout, or at the end
}

// Key is an API key and the header that carries it. It is immutable, so that a call in
// flight has either the old key or the new one.
type Key struct {
	Value  string
	Header []string
}

// net/http repeats a read on a new connection if an idle one turns out to be dead. More
// new connections than this are a loop: over HTTP/2 net/http repeats the request for as
// long as the server resets the stream.
const maxNewConns = 2

var (
	errAttemptOver = errors.New("middleware sent the request after its attempt had ended")
	errSentTwice   = errors.New("middleware sent the request of a mutating call twice")
	// ErrReconnects is the cause with which a loop of HTTP/2 ends the context.
	ErrReconnects = errors.New("the server accepted the request on several connections and responded on none")
)

// body returns a reader of the payload, nil without one.
func (a *Attempt) body() io.ReadCloser {
	if a.Payload == nil {
		return nil
	}
	return io.NopCloser(bytes.NewReader(a.Payload))
}

// Start returns the attempt's context, which ends with cause after the timeout. The
// same timer closes the response's body, since a foreign transport may ignore the
// context.
func (a *Attempt) Start(ctx context.Context, timeout time.Duration, cause error) context.Context {
	a.ctx.Context, a.ctx.attempt = ctx, a
	a.timer = time.AfterFunc(timeout, func() {
		a.ctx.cancel(cause)
		a.close()
	})
	return &a.ctx
}

// Stop releases the timer, the body and the context.
func (a *Attempt) Stop() {
	a.timer.Stop()
	a.close()
	a.ctx.end()
}

// responded passes the response's body, which is closed at the end of the attempt.
func (a *Attempt) responded(body io.ReadCloser) {
	a.mu.Lock()
	a.response = body
	closed := a.closed
	a.mu.Unlock()
	if closed {
		a.close()
	}
}

func (a *Attempt) close() {
	a.mu.Lock()
	body := a.response
	a.response, a.closed = nil, true
	a.mu.Unlock()
	if body != nil {
		_ = body.Close()
	}
}

type attemptKey struct{}

// FromContext returns the attempt of a request, nil without one.
func FromContext(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}

// enter admits a request to the transport, once if the call is mutating.
func (a *Attempt) enter() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended:
		return errAttemptOver
	case a.Mutating && a.entered:
		return errSentTwice
	}
	a.entered = true
	a.running++
	return nil
}

func (a *Attempt) leave() {
	a.mu.Lock()
	a.running--
	a.mu.Unlock()
}

func (a *Attempt) gotConn(info httptrace.GotConnInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected = true
	if !info.Reused {
		a.newConns++
	}
	if a.newConns > maxNewConns {
		a.ctx.cancel(ErrReconnects)
	}
}

// end refuses later requests of middleware and reports whether it is certain that
// nothing was sent. Only the trace of the SDK's own transport proves that: a foreign one
// may dial with another context.
func (a *Attempt) end(owned bool) (unsent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	return a.running == 0 && (!a.entered || owned && !a.connected)
}
