package webhookverify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
)

// PanicError is what a function given to [Verifier.Handler] panicked with, as
// [WithErrorHandler] is told.
type PanicError struct {
	Value any
	Stack []byte
}

// Error shows the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("webhookverify: panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Handler hands genuine events to handle. The sender is answered
//
//   - 200 when handle returned nil, or, with [WithReplayStore], did so before for
//     the same event;
//   - 405 with Allow for anything but a POST;
//   - 401 for a signature that is missing, malformed or wrong;
//   - 413 for a body that is too large, 400 for one that is cut short, no event,
//     or too old or too new for [WithMaxAge];
//   - 500 when handle returned an error or panicked;
//   - 503 with Retry-After while the same event is being handled, or when the
//     replay store cannot tell
//
// and with nothing but the status and its standard text. What went wrong goes to
// [WithErrorHandler]. Answer soon: the API does not document how long its sender
// waits; when it hangs up, the context given to handle ends.
func (v *Verifier) Handler(handle func(context.Context, *Event) error) http.Handler {
	if handle == nil {
		panic("webhookverify: nil function for Handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := v.ReadRequest(r)
		if err == nil {
			err = v.once(r, event, handle)
		}
		status := statusOf(err)
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

// failure is an error with a status of its own: that of the function, or of the
// replay store.
type failure struct {
	error
	status int
}

func (f failure) Unwrap() error { return f.error }

func statusOf(err error) int {
	if failed, ok := errors.AsType[failure](err); ok {
		return failed.status
	}
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, ErrMissingSignature), errors.Is(err, ErrMalformedSignature), errors.Is(err, ErrSignatureMismatch):
		return http.StatusUnauthorized
	case errors.Is(err, ErrBodyTooLarge):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// once handles the event, unless the replay store knows that it was handled.
func (v *Verifier) once(r *http.Request, event *Event, handle func(context.Context, *Event) error) error {
	if v.replays == nil {
		return call(r.Context(), event, handle)
	}
	switch err := v.replays.Begin(r.Context(), event.ID); {
	case errors.Is(err, ErrReplayed):
		return nil
	case err != nil:
		return failure{err, http.StatusServiceUnavailable}
	}
	// The store must learn the end even if the sender has left.
	ctx := context.WithoutCancel(r.Context())
	handled := false
	defer func() {
		if handled {
			return
		}
		if err := v.replays.Abort(ctx, event.ID); err != nil {
			v.report(r, fmt.Errorf("webhookverify: aborting in the replay store: %w", err))
		}
	}()
	if err := call(r.Context(), event, handle); err != nil {
		return err
	}
	handled = true
	if err := v.replays.Commit(ctx, event.ID); err != nil {
		// It is done. Asking for it once more would have it done twice.
		v.report(r, fmt.Errorf("webhookverify: committing to the replay store: %w", err))
	}
	return nil
}

// call turns a panic into an error, but for the one that net/http asks to pass.
func call(ctx context.Context, event *Event, handle func(context.Context, *Event) error) (err error) {
	defer func() {
		switch value := recover(); value {
		case nil:
		case http.ErrAbortHandler:
			panic(value)
		default:
			err = failure{&PanicError{Value: value, Stack: debug.Stack()}, http.StatusInternalServerError}
		}
	}()
	if err := handle(ctx, event); err != nil {
		return failure{err, http.StatusInternalServerError}
	}
	return nil
}
