package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// attempt is one request of a call and its result. It is never reused: middleware may
// keep its context after the call has ended.
type attempt struct {
	op       Operation
	number   int // from 1
	key      *apiKey
	payload  json.RawMessage
	mutating bool

	tooLong    bool        // the response's body exceeds the bound
	unsent     bool        // err proves that nothing reached the server
	err        error       // why there is no whole response
	status     int         // 0 without a response
	header     http.Header // of the response
	sentAt     time.Time
	endedAt    time.Time
	serverTime time.Time // at sentAt, zero if not known

	ctx    holder
	cancel context.CancelCauseFunc
	timer  *time.Timer
	reader io.LimitedReader // of the response's body; a field to save an allocation

	mu        sync.Mutex
	entered   bool          // the sender has received the request
	running   int           // senders in progress
	connected bool          // the transport got a connection to write to
	newConns  int           // connections made for this attempt alone
	ended     bool          // nothing may be sent any more
	response  io.ReadCloser // nil until there is one
	closed    bool          // by the time-out, or at the end
}

// net/http repeats a read on a new connection if an idle one turns out to be dead. More
// new connections than this are a loop: over HTTP/2 net/http repeats the request for as
// long as the server resets the stream.
const maxNewConns = 2

var (
	errAttemptOver = errors.New("middleware sent the request after its attempt had ended")
	errSentTwice   = errors.New("middleware sent the request of a mutating call twice")
	errReconnects  = errors.New("the server accepted the request on several connections and responded on none")
)

// body returns a reader of the payload, nil without one.
func (a *attempt) body() io.ReadCloser {
	if a.payload == nil {
		return nil
	}
	return io.NopCloser(bytes.NewReader(a.payload))
}

// start returns the attempt's context, which ends with cause after the time-out. The
// same timer closes the response's body, since a foreign transport may ignore the
// context.
func (a *attempt) start(ctx context.Context, timeout time.Duration, cause error) context.Context {
	ctx, a.cancel = context.WithCancelCause(ctx)
	a.timer = time.AfterFunc(timeout, func() {
		a.cancel(cause)
		a.close()
	})
	a.ctx = holder{ctx, a}
	return &a.ctx
}

// stop releases the timer, the body and the context.
func (a *attempt) stop() {
	a.timer.Stop()
	a.close()
	a.cancel(nil)
}

// responded passes the response's body, which is closed at the end of the attempt.
func (a *attempt) responded(body io.ReadCloser) {
	a.mu.Lock()
	a.response = body
	closed := a.closed
	a.mu.Unlock()
	if closed {
		a.close()
	}
}

func (a *attempt) close() {
	a.mu.Lock()
	body := a.response
	a.response, a.closed = nil, true
	a.mu.Unlock()
	if body != nil {
		_ = body.Close()
	}
}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey).(*attempt)
	return a
}

// OperationFromContext returns the operation that a request belongs to and the
// number of its attempt, from 1, for middleware given by [WithMiddleware] and
// for transports beneath it. It returns "" and 0 for a context of anything else.
func OperationFromContext(ctx context.Context) (op Operation, attempt int) {
	if a := attemptOf(ctx); a != nil {
		return a.op, a.number
	}
	return "", 0
}

// enter admits a request to the transport, once if the call is mutating.
func (a *attempt) enter() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.ended:
		return errAttemptOver
	case a.mutating && a.entered:
		return errSentTwice
	}
	a.entered = true
	a.running++
	return nil
}

func (a *attempt) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
}

func (a *attempt) gotConn(info httptrace.GotConnInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected = true
	if !info.Reused {
		a.newConns++
	}
	if a.newConns > maxNewConns {
		a.cancel(errReconnects)
	}
}

// end refuses later requests of middleware and reports whether it is certain that
// nothing was sent. Only the trace of the SDK's own transport proves that: a foreign one
// may dial with another context.
func (a *attempt) end(owned bool) (unsent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	return a.running == 0 && (!a.entered || owned && !a.connected)
}
