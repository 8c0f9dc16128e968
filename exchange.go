package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is the state of one call, shared by the layers it passes through.
// It is also the context of the call's requests: that is the only thing that
// retryablehttp carries to both the retry policy and the transport.
type exchange struct {
	context.Context

	op      Operation
	method  string
	path    string
	id      string
	request json.RawMessage
	spends  bool
	before  func(*OutcomeUnknownError) error // of the caller, see BeforeSend; nil for none

	// What one call needs of others, kept here to be allocated at once.
	url       url.URL
	retryable retryablehttp.Request
	reader    io.LimitedReader

	attempts  int
	notBefore time.Time // of the next attempt, as far as this call alone is concerned

	// The last attempt.
	key        *apiKey
	sentAt     time.Time
	endedAt    time.Time
	serverTime time.Time // at sentAt, zero if not known
	status     int       // 0 when no answer came
	header     http.Header
	body       *bytes.Buffer // what arrived of the answer
	err        error         // why there is no whole answer
	unsent     bool          // err proves that nothing reached the server
	over       bool          // the body exceeds the bound

	shared *answer // what the cache told in the place of all this

	retrying error // what the last attempt ended with, while the next is being waited for
	stopped  error // why there was no next attempt
}

type exchangeKey struct{}

// Value makes the exchange known to those who have only the context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// release gives the answer's buffer back. Nothing may refer to its bytes then.
func (x *exchange) release() {
	const keep = 256 << 10
	if x.body != nil && x.body.Cap() <= keep {
		x.body.Reset()
		buffers.Put(x.body)
	}
	x.body = nil
}

func newExchange(ctx context.Context, req request) *exchange {
	return &exchange{
		Context: ctx, op: req.op, method: req.method, path: req.path, id: req.id, spends: spends(req.method),
		before: req.before, body: buffers.Get().(*bytes.Buffer),
	}
}

// send carries out req, retries included. On success the answer's status is 2xx
// and its body waits in the exchange, which the caller releases.
func (c *Client) send(ctx context.Context, req request, opts []CallOption) (*exchange, error) {
	o := collect(opts)
	if o.capture != nil {
		*o.capture = Response{}
	}
	if ctx == nil {
		req.check(missing("context"))
	}
	if req.err != nil {
		return nil, req.err
	}
	req.before = o.before
	var x *exchange
	var err error
	switch {
	case c.cache != nil && !spends(req.method) && !o.fresh:
		x, err = c.cache.read(ctx, req, c.perform)
	case spends(req.method):
		c.cache.empty()
		x, err = c.perform(ctx, req)
		c.cache.empty()
	default:
		x, err = c.perform(ctx, req)
	}
	if o.capture != nil {
		*o.capture = x.response()
	}
	if err != nil {
		x.release()
		return nil, err
	}
	return x, nil
}

// perform sends req. There is an exchange even if there is an error.
func (c *Client) perform(ctx context.Context, req request) (*exchange, error) {
	x := newExchange(ctx, req)
	httpReq, err := req.encode(x, c.base)
	if err != nil {
		return x, err
	}
	_, err = c.retry.Do(httpReq) //nolint:bodyclose // the transport has read and closed it
	if err = x.conclude(err); err == nil {
		err = x.refused()
	}
	return x, err
}

func (x *exchange) response() Response {
	return Response{
		StatusCode: x.status,
		Header:     x.header.Clone(),
		Meta:       metaOf(x.body.Bytes()),
		Body:       bytes.Clone(x.body.Bytes()),
		Attempts:   x.attempts,
	}
}

// conclude turns the end of the last attempt, and what retryablehttp made of
// it, into the call's error. It is nil if there is an answer, whatever its status.
func (x *exchange) conclude(err error) error {
	if x.stopped == nil && x.retrying != nil {
		// The context ended while retryablehttp was about to go on.
		x.stopped = context.Cause(x)
	}
	switch {
	case x.stopped != nil && x.retrying != nil:
		return fmt.Errorf("%w; not sent again: %w", x.retrying, x.stopped)
	case x.stopped != nil:
		return x.failure(x.stopped)
	case x.err != nil:
		return x.failed()
	case x.status != 0:
		return nil
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return x.failure(err)
}

// failed is the error of a last attempt that brought no whole answer.
func (x *exchange) failed() error {
	err := x.failure(x.err)
	if x.spends && !x.unsent {
		return x.unknown(err)
	}
	return err
}

func (x *exchange) failure(cause error) error {
	return &callError{method: x.method, path: tidy(x.path, x.key), attempts: x.attempts, cause: cause}
}

// refused is the error of an answer outside 2xx, nil for any other.
func (x *exchange) refused() error {
	if x.status/100 == 2 {
		return nil
	}
	err := x.apiError()
	if x.spends && !x.definite() {
		return x.unknown(err)
	}
	return err
}

// apiError reads the answer as a failure that the server reports.
func (x *exchange) apiError() *Error {
	body := bytes.Clone(x.body.Bytes())
	code, message := failureOf(body)
	return &Error{
		Code:       tidy(code, x.key),
		Message:    tidy(message, x.key),
		StatusCode: x.status,
		Method:     x.method,
		Path:       tidy(x.path, x.key),
		RetryAfter: parseRetryAfter(x.header),
		Attempts:   x.attempts,
		Meta:       metaOf(body),
		Body:       body,
	}
}

// decoded is the error of a 2xx answer that decode gave cause for, nil for none.
func (x *exchange) decoded(cause error) error {
	if cause != nil && x.shared != nil {
		x.shared.spoiled.Store(true)
	}
	switch {
	case cause == nil:
		return nil
	case errors.Is(cause, errNotDone):
		return x.apiError()
	case x.over:
		cause = errors.New("the answer is too long")
	}
	err := &ResponseError{
		StatusCode: x.status,
		Method:     x.method,
		Path:       tidy(x.path, x.key),
		Attempts:   x.attempts,
		Body:       bytes.Clone(x.body.Bytes()),
		Err:        cause,
	}
	if x.spends {
		return x.unknown(err)
	}
	return err
}

func (x *exchange) unknown(cause error) error {
	doubt := x.doubt(x.sentAt, x.attempts)
	doubt.StatusCode, doubt.Body, doubt.Err = x.status, bytes.Clone(x.body.Bytes()), cause
	doubt.Until, doubt.ServerTime = x.endedAt, x.serverTime
	return doubt
}

// doubt describes an attempt as one whose outcome nobody knows.
func (x *exchange) doubt(sentAt time.Time, attempts int) *OutcomeUnknownError {
	return &OutcomeUnknownError{
		Operation: x.op, Method: x.method, Path: x.path, ID: x.id, Request: x.request,
		SentAt: sentAt, Attempts: attempts,
	}
}

// announce tells the caller of the attempt that is about to be made, once more if
// the caller took so long that its record is out of date. If the context ends
// meanwhile the attempt is not made, which is certain only here.
func (x *exchange) announce(t *transport) error {
	if x.before == nil || !x.spends {
		return nil
	}
	for range 2 {
		sentAt := time.Now()
		doubt := x.doubt(sentAt, x.attempts+1)
		doubt.Request = bytes.Clone(x.request)
		doubt.Until = sentAt.Add(t.deadlines.timeout).Add(t.grace / 10) // the record may be that old
		doubt.ServerTime = t.clock.at(sentAt)
		if err := x.before(doubt); err != nil {
			return err
		}
		if err := x.Err(); err != nil {
			return err
		}
		if t.grace == 0 || elapsed(sentAt) <= t.grace/10 {
			return nil
		}
	}
	return errStaleRecord
}

var errStaleRecord = errors.New("BeforeSend took more than a tenth of the grace, twice")

// elapsed is the time since t by the clock that says more: the monotonic one
// stops while the machine is suspended, and the wall clock may be set back.
func elapsed(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}
