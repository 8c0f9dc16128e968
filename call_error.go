package whozex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/whozex/whozex-go/internal/ratelimit/headers"
)

// finalError returns the error of the call after retryablehttp has returned err. It is
// nil if the last response is 2xx.
func (c *Client) finalError(ctx context.Context, s *callState, err error) error {
	if s.last.Number == 0 {
		if s.stopped != nil {
			return s.transportError(s.stopped)
		}
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return s.transportError(err)
	}
	failed := s.attemptError()
	if s.stopped == nil && ctx.Err() != nil && c.mayRetry(s) {
		s.stopped = context.Cause(ctx)
	}
	if s.stopped != nil && !errors.Is(failed, s.stopped) {
		return fmt.Errorf("%w; not retried: %w", failed, s.stopped)
	}
	return failed
}

// attemptError returns the error of the last attempt, nil for a 2xx response.
func (s *callState) attemptError() error {
	switch a := s.last; {
	case a.err != nil && s.mutating() && !a.unsent:
		return s.outcomeUnknown(s.transportError(a.err))
	case a.err != nil:
		return s.transportError(a.err)
	case a.status/100 == 2:
		return nil
	case s.mutating() && !s.definite():
		return s.outcomeUnknown(s.statusError())
	}
	return s.statusError()
}

// definite reports whether a status outside 2xx means that a mutating call did nothing.
// A registered status from 400 to 499 does, except 408: gateways send 408, and the
// unregistered 499 and 460, while the server behind them continues. A documented code
// always does. A body that claims success never does, nor one that is too long to read.
func (s *callState) definite() bool {
	body, status := s.last.body, s.last.status
	env := readEnvelope(body)
	if s.last.tooLong || env.claimsSuccess() {
		return false
	}
	if sentinelByCode[env.code] != nil {
		return true
	}
	return status/100 == 4 && status != http.StatusRequestTimeout && http.StatusText(status) != ""
}

// transportError returns the error of a call without a whole response.
func (s *callState) transportError(cause error) error {
	return &callError{method: s.method, path: sanitize(s.path, s.last.Key), attempts: s.last.Number, cause: cause}
}

// statusError returns the failure that the response reports.
func (s *callState) statusError() *Error {
	body := bytes.Clone(s.last.body)
	env := readEnvelope(body)
	return &Error{
		Code:       sanitize(env.code, s.last.Key),
		Message:    sanitize(env.message, s.last.Key),
		StatusCode: s.last.status,
		Method:     s.method,
		Path:       sanitize(s.path, s.last.Key),
		RetryAfter: headers.RetryAfter(s.last.header),
		Attempts:   s.last.Number,
		Meta:       metaOf(env.meta),
		Body:       body,
		notFromAPI: env.notFromAPI(),
	}
}

// decodeError returns the error of a 2xx response that cannot be decoded because of
// cause, nil without a cause.
func (s *callState) decodeError(cause error) error {
	if cause != nil && s.cached != nil {
		s.cached.invalid.Store(true)
	}
	switch {
	case cause == nil:
		return nil
	case errors.Is(cause, errNotDone):
		return s.statusError()
	case s.last.tooLong:
		cause = errors.New("the response is too long")
	}
	err := &ResponseError{
		StatusCode: s.last.status,
		Method:     s.method,
		Path:       sanitize(s.path, s.last.Key),
		Attempts:   s.last.Number,
		Body:       bytes.Clone(s.last.body),
		Err:        cause,
	}
	if s.mutating() {
		return s.outcomeUnknown(err)
	}
	return err
}

func (s *callState) outcomeUnknown(cause error) error {
	a := s.last
	err := s.newOutcomeUnknown(a.sentAt, a.Number)
	err.StatusCode, err.Body, err.Err = a.status, bytes.Clone(s.last.body), cause
	// A stored record keeps wall clock times only, so their difference must be right.
	err.Until, err.ServerTime = a.sentAt.Add(between(a.sentAt, a.endedAt)), a.serverTime
	return err
}

func (s *callState) newOutcomeUnknown(sentAt time.Time, attempts int) *OutcomeUnknownError {
	return &OutcomeUnknownError{
		Operation: s.op, Method: s.method, Path: s.path, ID: s.id, Request: s.encoded,
		SentAt: sentAt, Attempts: attempts,
	}
}
