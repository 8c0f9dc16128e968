package webhookverify_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

type packageCreated struct {
	PackageID string `json:"package_id"`
	GB        int    `json:"gb"`
}

func TestMux(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		name, event, data string
		fallback          func(context.Context, *webhookverify.Event) error
		want              error
		handled           string
	}{
		{name: "by its name", event: "package.created", data: `{"package_id":"PKG-1","gb":20}`, handled: "PKG-1"},
		{name: "data of another event", event: "package.created", data: `{"user_id":"u"}`, want: webhookverify.ErrMalformedEvent},
		{name: "no data", event: "package.created", want: webhookverify.ErrMalformedEvent},
		{name: "no function", event: "moon.landed", want: webhookverify.ErrUnknownEvent},
		{name: "ignored", event: "moon.landed", fallback: webhookverify.Ignore},
		{name: "the default fails", event: "moon.landed", fallback: func(context.Context, *webhookverify.Event) error { return failed }, want: failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var handled string
			var mux webhookverify.Mux
			mux.On("package.created", webhookverify.Decoded(func(_ context.Context, _ *webhookverify.Event, data packageCreated) error {
				handled = data.PackageID
				return nil
			}))
			if tt.fallback != nil {
				mux.Default(tt.fallback)
			}
			event := &webhookverify.Event{Name: tt.event}
			if tt.data != "" {
				event.Data = json.RawMessage(tt.data)
			}
			require.ErrorIs(t, mux.Handle(t.Context(), event), tt.want)
			assert.Equal(t, tt.handled, handled)
		})
	}
}

func TestMux_InvalidRegistrations(t *testing.T) {
	var mux webhookverify.Mux
	mux.On("x", webhookverify.Ignore)
	mux.Default(webhookverify.Ignore)
	for name, register := range map[string]func(){
		"a name twice":  func() { mux.On("x", webhookverify.Ignore) },
		"no name":       func() { mux.On("", webhookverify.Ignore) },
		"no function":   func() { mux.On("y", nil) },
		"two defaults":  func() { mux.Default(webhookverify.Ignore) },
		"a nil default": func() { new(webhookverify.Mux).Default(nil) },
	} {
		assert.Panics(t, register, name)
	}
}

// own has an UnmarshalJSON, as a type has that accepts several forms of a field.
type own struct {
	PackageID string `json:"package_id"`
	decoded   bool
}

func (o *own) UnmarshalJSON(data []byte) error {
	o.decoded = true
	type decompressed own
	return json.Unmarshal(data, (*decompressed)(o))
}

func TestEvent_Decode(t *testing.T) {
	type embedded struct {
		packageCreated
		Note string
	}
	for _, tt := range []struct {
		name, data string
		into       any
		ok         bool
	}{
		{name: "a field", data: `{"package_id":"PKG-1"}`, into: new(packageCreated), ok: true},
		{name: "in capitals", data: `{"PACKAGE_ID":"PKG-1"}`, into: new(packageCreated), ok: true},
		{name: "a zero value", data: `{"gb":0}`, into: new(packageCreated), ok: true},
		{name: "of an embedded struct", data: `{"gb":1}`, into: new(embedded), ok: true},
		{name: "untagged", data: `{"note":"a"}`, into: new(embedded), ok: true},
		{name: "an Unmarshaler", data: `{"package_id":"PKG-1"}`, into: new(own), ok: true},
		{name: "an empty map", data: `{}`, into: new(map[string]any), ok: true},
		{name: "a list", data: `[1]`, into: new([]int), ok: true},
		{name: "a pointer to a pointer", data: `{"gb":1}`, into: new(*packageCreated), ok: true},
		{name: "nothing", data: `{}`, into: new(packageCreated)},
		{name: "null", data: `null`, into: new(packageCreated)},
		{name: "whitespace and null", data: " null ", into: new(packageCreated)},
		{name: "null for a map", data: `null`, into: new(map[string]any)},
		{name: "null fields", data: `{"package_id":null,"gb":null}`, into: new(packageCreated)},
		{name: "other fields", data: `{"id":"PKG-1"}`, into: new(packageCreated)},
		{name: "other fields for an Unmarshaler", data: `{"id":"PKG-1"}`, into: new(own)},
		{name: "a list for a struct", data: `[]`, into: new(packageCreated)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&webhookverify.Event{Name: "x", Data: json.RawMessage(tt.data)}).Decode(tt.into)
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, webhookverify.ErrMalformedEvent)
		})
	}
}
