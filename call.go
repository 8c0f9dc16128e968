package whozex

import (
	"context"
	"net/http"
	"net/url"
)

// A call goes down this list, and its result back up:
//
//	endpoint   account.go, users.go, …   a request, and the type of its data
//	call       call.go
//	cache      cache.go                  for reads, WithCache
//	encode     request.go
//	retries    retry.go                  the policy; retryablehttp loops and waits
//	attempt    transport.go, body.go     one timeout, one response
//	limiter    limit.go                  before it is sent, and BeforeSend, notify.go
//	wire       internal/wire             middleware, one request, the proof that none was sent
//	decode     decode.go, envelope.go    strict, then internal/lenient
//	errors     call_error.go             the error that the caller receives
//
// What they pass on is in call_state.go and attempt.go.

// call sends a request and decodes the data of its response into a T. Every endpoint
// uses it.
func call[T any](ctx context.Context, c *Client, req request, opts []CallOption) (*T, error) {
	var d decoded[T]
	if err := c.read(ctx, req, opts, target{&d, &d.Success, &d.Data, &d.from}); err != nil {
		return nil, err
	}
	return &d.Data, nil
}

// read is call for a decoded of any type.
func (c *Client) read(ctx context.Context, req request, opts []CallOption, to target) (err error) {
	s := newCallState(req)
	ctx = c.observe(ctx, s)
	defer func() { s.observer.end(err) }()
	if err = c.send(ctx, s, opts); err != nil {
		return err
	}
	err = s.decode(to)
	if key, ok := to.data.(*RegeneratedKey); ok && err == nil {
		err = c.keys.replace(s.last.Key, string(key.APIKey))
	}
	return s.decodeError(err)
}

// Do calls a route that this SDK does not know, with the envelope, errors and rules of
// any other call. path is below the base URL and already escaped; query and body may be
// nil; body is sent as JSON; the data of the response is decoded into out unless out is
// nil. Every method but GET and HEAD counts as mutating: the call is retried only if it
// provably did nothing, and may end with an [OutcomeUnknownError].
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, out any, opts ...CallOption) error {
	req := request{op: Operation(method + " " + path), method: method, query: query, body: body}
	if _, err := http.NewRequest(method, "", nil); err != nil {
		req.check(invalid("method", "%q is not one", method))
	}
	req.setPath(path)
	if !req.mutating() && body != nil {
		req.check(invalid("body", "cannot be sent with %s", method))
	}
	return c.do(ctx, req, out, opts)
}

// do is call for data of any type; nil discards the data.
func (c *Client) do(ctx context.Context, req request, out any, opts []CallOption) (err error) {
	s := newCallState(req)
	ctx = c.observe(ctx, s)
	defer func() { s.observer.end(err) }()
	if err = c.send(ctx, s, opts); err != nil || s.method == http.MethodHead {
		return err
	}
	return s.decodeError(s.decodeInto(out))
}

// send performs the call, through the cache where that is allowed. On success the status
// is 2xx, and the caller decodes the body.
func (c *Client) send(ctx context.Context, s *callState, opts []CallOption) error {
	o := c.collect(opts)
	if o.capture != nil {
		*o.capture = Response{}
	}
	if ctx == nil {
		s.check(missing("context"))
	}
	s.check(o.err)
	if s.mutating() && c.grace > 0 && o.timeout > c.grace {
		s.check(invalid("attempt timeout", "must be at most the grace of %s, not %s", c.grace, o.timeout))
	}
	if s.err != nil {
		return s.err
	}
	s.options = o.attemptOptions
	var err error
	switch {
	case s.mutating():
		c.emptyCache()
		err = c.perform(ctx, s)
		c.emptyCache()
	case c.cache != nil && !o.fresh && o.header == nil:
		err = c.cache.read(ctx, s, o.shape(&c.settings), c.perform)
	default:
		err = c.perform(ctx, s)
	}
	if o.capture != nil {
		*o.capture = s.response()
		o.capture.RateLimit = c.RateLimit()
	}
	s.observer.responded(s)
	return err
}

// perform sends the call over the network.
func (c *Client) perform(ctx context.Context, s *callState) error {
	httpReq, err := s.encode(ctx, c.base)
	if err != nil {
		return err
	}
	_, err = c.retries.Do(httpReq) //nolint:bodyclose // the transport has read and closed it
	return c.finalError(ctx, s, err)
}
