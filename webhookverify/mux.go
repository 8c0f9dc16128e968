package webhookverify

import (
	"context"
	"fmt"
)

// Mux passes each event to the function for its name. The zero value is ready to
// use; pass [Mux.Handle] to [Verifier.Handler] or [Verifier.Once]. Register all
// functions before the first event.
//
//	var mux webhookverify.Mux
//	mux.On(whozex.EventPackageCreated, webhookverify.Decoded(
//		func(ctx context.Context, event *webhookverify.Event, created whozex.PackageCreated) error {
//			return deliver(ctx, created.PackageID)
//		}))
//	mux.Default(webhookverify.Ignore)
//	http.Handle("/webhooks", verifier.Handler(mux.Handle))
type Mux struct {
	functions map[string]func(context.Context, *Event) error
	other     func(context.Context, *Event) error
}

// On registers handle for the events called name. It panics if the name is empty or
// already has a function, or if handle is nil.
func (m *Mux) On(name string, handle func(context.Context, *Event) error) {
	if _, taken := m.functions[name]; taken || name == "" || handle == nil {
		panic(fmt.Sprintf("webhookverify: On(%q): each name needs one function", name))
	}
	if m.functions == nil {
		m.functions = map[string]func(context.Context, *Event) error{}
	}
	m.functions[name] = handle
}

// Default registers handle for all other names. It panics if there is a default
// already, or if handle is nil.
func (m *Mux) Default(handle func(context.Context, *Event) error) {
	if m.other != nil || handle == nil {
		panic("webhookverify: Default needs one function")
	}
	m.other = handle
}

// Handle calls the function for the event's name. If there is neither one nor a
// default, it returns [ErrUnknownEvent], so that no event is lost silently.
func (m *Mux) Handle(ctx context.Context, event *Event) error {
	if handle, ok := m.functions[event.Name]; ok {
		return handle(ctx, event)
	}
	if m.other != nil {
		return m.other(ctx, event)
	}
	return fmt.Errorf("%w: %q", ErrUnknownEvent, event.Name)
}

// Ignore does nothing with an event, for [Mux.Default].
func Ignore(context.Context, *Event) error { return nil }

// Decoded returns a function that decodes the event's data into a T before it
// calls handle, by the rules of [Event.Decode].
func Decoded[T any](handle func(context.Context, *Event, T) error) func(context.Context, *Event) error {
	return func(ctx context.Context, event *Event) error {
		var data T
		if err := event.Decode(&data); err != nil {
			return err
		}
		return handle(ctx, event, data)
	}
}
