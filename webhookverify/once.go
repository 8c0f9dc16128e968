package webhookverify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
)

// PanicError is the error for a panic in a function given to [Verifier.Handler] or
// [Verifier.Once].
type PanicError struct {
	// Value is the value of the panic.
	Value any
	// Stack is the stack trace of the panic, as [debug.Stack] formats it.
	Stack []byte
}

// Error shows the value, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("webhookverify: panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Once passes an event of [Verifier.ParseEvent] or [Verifier.ReadRequest] to handle,
// unless the store of [WithReplayStore] says that it was handled; then it returns
// nil. Without a store it handles every event.
//
// The error is that of handle, a [PanicError], [ErrInProgress] while the same event
// is being handled, or that of the store. After any of these the sender should
// redeliver the event. If handle succeeds but the store's Commit fails, the error
// goes to [WithErrorHandler] and Once returns nil: an error here would cause
// redelivery and handle the event twice. [Status] gives the response to each error.
func (v *Verifier) Once(ctx context.Context, event *Event, handle func(context.Context, *Event) error) error {
	return v.once(ctx, event, handle, func(err error) {
		v.report(new(http.Request).WithContext(ctx), err)
	})
}

func (v *Verifier) once(ctx context.Context, event *Event, handle func(context.Context, *Event) error, report func(error)) error {
	if v.replays == nil {
		return call(ctx, event, handle)
	}
	ids := v.claimIDs(event)
	switch err := v.begin(ctx, ids); {
	case errors.Is(err, ErrReplayed):
		return nil
	case err != nil:
		return failure{err, http.StatusServiceUnavailable}
	}
	// Commit and Abort must reach the store even if the sender has disconnected.
	end := context.WithoutCancel(ctx)
	handled := false
	defer func() {
		if !handled {
			if err := v.abort(end, ids); err != nil {
				report(fmt.Errorf("webhookverify: aborting in the replay store: %w", err))
			}
		}
	}()
	if err := call(ctx, event, handle); err != nil {
		return err
	}
	handled = true
	if err := forEach(ids, func(id string) error { return v.replays.Commit(end, id) }); err != nil {
		report(fmt.Errorf("webhookverify: committing to the replay store: %w", err))
	}
	return nil
}

// begin claims all ids or none.
func (v *Verifier) begin(ctx context.Context, ids []string) error {
	for i, id := range ids {
		if err := v.replays.Begin(ctx, id); err != nil {
			return errors.Join(err, v.abort(context.WithoutCancel(ctx), ids[:i]))
		}
	}
	return nil
}

func (v *Verifier) abort(ctx context.Context, ids []string) error {
	return forEach(ids, func(id string) error { return v.replays.Abort(ctx, id) })
}

func forEach(ids []string, do func(string) error) (all error) {
	for _, id := range ids {
		all = errors.Join(all, do(id))
	}
	return all
}

// call turns a panic into an error, except [http.ErrAbortHandler], which net/http
// expects to see.
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
