package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptrace"
	"sync"
)

// attempt is one request of a call on its way through middleware to the wire, and
// the context of that request. It is never reused: middleware may hold it longer
// than the call lasts.
type attempt struct {
	context.Context

	op       Operation
	number   int
	mutating bool
	key      *apiKey
	body     json.RawMessage
	deadline deadline

	mu        sync.Mutex
	entered   bool // the sender has had the request
	running   int  // senders at work
	connected bool // the transport has had a connection to write to
	dialled   int  // connections made for this attempt alone
	over      bool // nothing may be sent any more
}

// A read may be repeated by net/http on another connection when an idle one
// turns out to be dead. More new connections than this are a loop: over HTTP/2
// net/http goes on as long as the server resets the stream.
const maxDialled = 2

var (
	errAttemptOver = errors.New("middleware sent the request after its attempt had ended")
	errSentTwice   = errors.New("middleware sent the request of a mutating call twice")
	errReconnects  = errors.New("the server took the request on several connections and answered on none")
)

func newAttempt(x *exchange) *attempt {
	return &attempt{op: x.op, number: x.attempts, mutating: x.spends, key: x.key, body: x.request}
}

type attemptKey struct{}

// Value makes the attempt known to those who have a context derived from it.
func (a *attempt) Value(key any) any {
	if key == (attemptKey{}) {
		return a
	}
	return a.Context.Value(key)
}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
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

func (a *attempt) newBody() io.ReadCloser {
	if a.body == nil {
		return nil
	}
	return io.NopCloser(bytes.NewReader(a.body))
}

// enter lets a request pass to the transport: once if the call is mutating.
func (a *attempt) enter() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.over:
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
		a.dialled++
	}
	if a.dialled > maxDialled {
		a.deadline.cancel(errReconnects)
	}
}

// end closes the attempt to late requests of middleware and reports whether it
// is certain that nothing was sent. The trace of a transport that is not the
// SDK's own proves nothing: it may dial elsewhere, by another context.
func (a *attempt) end(owned bool) (unsent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	return a.running == 0 && (!a.entered || owned && !a.connected)
}
