package whozex

import (
	"context"
	"errors"
	"time"
)

// CallInfo describes one call, from the first attempt to the decoded result. No field
// except Err contains ids, user input or secrets, so that all can be labels of metrics.
type CallInfo struct {
	// Operation is the method of [Client] that was called; "Do" for [Client.Do].
	Operation Operation
	// Method is the HTTP method.
	Method string
	// Route is the path template, such as /users/{user_id}/packages; empty for
	// [Client.Do].
	Route string
	// Attempts counts the requests sent: 0 for a cached or shared response, or if
	// nothing was sent.
	Attempts int
	// StatusCode is the status of the last response, 0 without one.
	StatusCode int
	// Code is the API's error code, such as "NOT_FOUND"; empty without one.
	Code string
	// Err is the error that the call returns.
	Err error
	// OutcomeUnknown means that Err matches [ErrOutcomeUnknown].
	OutcomeUnknown bool
	// Cached means that the response is from [WithCache], or shared with an equal read
	// at the same time.
	Cached bool
	// Start is when the call began, and Duration how long it took. OnWire is the time
	// of its attempts, and Waited the time before them: the limiter, pauses after a
	// 429, the back-off before a retry, [BeforeSend].
	Start                    time.Time
	Duration, Waited, OnWire time.Duration
}

// Outcome returns "ok", "error", or "unknown" for [ErrOutcomeUnknown].
func (c CallInfo) Outcome() string {
	switch {
	case c.OutcomeUnknown:
		return "unknown"
	case c.Err != nil:
		return "error"
	}
	return "ok"
}

// WithObserver calls observe at the end of every call, with the call's context, even if
// nothing was sent. Each page of an iteration is a call. observe runs on the goroutine
// of the call, which waits for it.
func WithObserver(observe func(context.Context, CallInfo)) Option {
	return func(s *settings) error {
		if observe == nil {
			return missing("observer")
		}
		s.hooks = append(s.hooks, func(ctx context.Context, _ CallInfo) (context.Context, func(CallInfo)) {
			return ctx, func(info CallInfo) { observe(ctx, info) }
		})
		return nil
	}
}

// WithCallHook calls begin at the start of every call, with its operation, method, route
// and start time. The call uses the context that begin returns, so that a span in it is
// the parent of the spans of the attempts. The client calls end at the end of the call, as
// [WithObserver] does. Module otelwhozex uses this option.
func WithCallHook(begin func(context.Context, CallInfo) (ctx context.Context, end func(CallInfo))) Option {
	return func(s *settings) error {
		if begin == nil {
			return missing("call hook")
		}
		s.hooks = append(s.hooks, begin)
		return nil
	}
}

// opDo is the reported operation of [Client.Do], since a path may contain ids.
const opDo Operation = "Do"

// callObserver reports one call to the hooks and the log. It is nil without any.
type callObserver struct {
	client *Client
	ctx    context.Context
	info   CallInfo
	ends   []func(CallInfo)
}

// observed reports whether anything wants to know how long a call took.
func (s *settings) observed() bool { return s.hooks != nil || s.log != nil }

// observe begins the observation of a call.
func (c *Client) observe(ctx context.Context, s *callState) context.Context {
	if !c.observed() || ctx == nil {
		return ctx
	}
	w := &callObserver{client: c, info: CallInfo{Operation: s.op, Method: s.method, Route: s.route, Start: time.Now()}}
	if s.route == "" {
		w.info.Operation = opDo
	}
	for _, begin := range c.hooks {
		next, end := begin(ctx, w.info)
		if next != nil {
			ctx = next
		}
		if end != nil {
			w.ends = append(w.ends, end)
		}
	}
	w.ctx, s.observer = ctx, w
	return ctx
}

// responded records the response before it is decoded.
func (w *callObserver) responded(s *callState) {
	if w == nil {
		return
	}
	w.info.Attempts, w.info.StatusCode = s.last.Number, s.last.status
	w.info.Cached = s.cached != nil && s.last.Number == 0 && s.last.status != 0
	w.info.OnWire = s.onWire
	w.info.Waited = time.Since(w.info.Start) - s.onWire
}

// end reports the call, which ends with err.
func (w *callObserver) end(err error) {
	if w == nil {
		return
	}
	w.info.Duration = time.Since(w.info.Start)
	w.info.Err, w.info.OutcomeUnknown = err, errors.Is(err, ErrOutcomeUnknown)
	if failure, ok := errors.AsType[*Error](err); ok {
		w.info.Code = failure.Code
	}
	if log := w.client.log; log != nil {
		log.call(w.ctx, &w.info, w.client.keys.current.Load())
	}
	for _, end := range w.ends {
		end(w.info)
	}
}
