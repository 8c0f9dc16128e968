package webhookverify

import (
	"context"
	"errors"
	"net/http"
)

// Handler hands genuine events to handle. The response has the status of [Status]
// for what went wrong, 405 with Allow, 503 with Retry-After, and nothing but the
// status and its standard text. It is 200 when handle returned nil, or, with
// [WithReplayStore], did so before for the same event. What went wrong goes to
// [WithErrorHandler].
//
// Respond soon: the API does not document how long its sender waits. When it hangs
// up, the context given to handle ends.
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
