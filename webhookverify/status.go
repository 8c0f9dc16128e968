package webhookverify

import (
	"errors"
	"net/http"
)

// failure is an error with the status for its response, whatever error it wraps.
type failure struct {
	error
	status int
}

func (f failure) Unwrap() error { return f.error }

// Status returns the HTTP status with which [Verifier.Handler] responds to an error
// of [Verifier.ReadRequest], [Verifier.ParseEvent] or [Verifier.Once]:
//
//   - 200 for nil;
//   - 405 for [ErrMethod];
//   - 401 for [ErrMissingSignature], [ErrMalformedSignature] and
//     [ErrSignatureMismatch];
//   - 413 for [ErrBodyTooLarge];
//   - 400 for [ErrMalformedEvent], [ErrStale] and a body that is cut short;
//   - 503 for [ErrInProgress] and for any other error of the replay store;
//   - 500 for [ErrBodyConsumed], for an error or panic of your function, and for any
//     other error.
func Status(err error) int {
	if failed, ok := errors.AsType[failure](err); ok {
		return failed.status
	}
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil, is(ErrReplayed):
		return http.StatusOK
	case is(ErrMethod):
		return http.StatusMethodNotAllowed
	case is(ErrMissingSignature, ErrMalformedSignature, ErrSignatureMismatch):
		return http.StatusUnauthorized
	case is(ErrBodyTooLarge):
		return http.StatusRequestEntityTooLarge
	case is(ErrMalformedEvent, ErrStale):
		return http.StatusBadRequest
	case is(ErrInProgress, ErrReplayStoreFull):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
