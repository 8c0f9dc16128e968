package webhookverify

import (
	"context"
	"errors"
	"net/http"
)

// Handler returns a handler that verifies each request and passes its event to
// handle. It responds with 200 when handle returns nil, or, with [WithReplayStore],
// when it returned nil for the same event before. Otherwise it responds with the
// [Status] of the error and that status's standard text, and passes the error to
// [WithErrorHandler]. A 405 has Allow, a 503 has Retry-After.
//
// Return quickly: the API does not document how long its sender waits. When the
// sender disconnects, the context of handle is cancelled.
func (v *Verifier) Handler(handle func(context.Context, *Event) error) http.Handler {
	if handle == nil {
		panic("webhookverify: nil function for Handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := v.ReadRequest(r)
		if err == nil {
			err = v.once(r.Context(), event, handle, func(err error) { v.report(r, err) })
		}
		status := Status(err)
		switch status {
		case http.StatusOK:
			w.WriteHeader(status)
			return
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", http.MethodPost)
		case http.StatusServiceUnavailable:
			w.Header().Set("Retry-After", "1")
		}
		if !errors.Is(err, ErrInProgress) {
			v.report(r, err)
		}
		http.Error(w, http.StatusText(status), status)
	})
}
