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
		{name: "data of another kind", event: "package.created", data: `{"user_id":"u"}`, want: webhookverify.ErrMalformedEvent},
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

func TestAMuxRefusesWhatItCannotMean(t *testing.T) {
	var mux webhookverify.Mux
	mux.On("x", webhookverify.Ignore)
	mux.Default(webhookverify.Ignore)
	for name, register := range map[string]func(){
		"a name twice":      func() { mux.On("x", webhookverify.Ignore) },
		"no name":           func() { mux.On("", webhookverify.Ignore) },
		"no function":       func() { mux.On("y", nil) },
		"two defaults":      func() { mux.Default(webhookverify.Ignore) },
		"a default of none": func() { new(webhookverify.Mux).Default(nil) },
	} {
		assert.Panics(t, register, name)
	}
}

// own decodes itself, as a type does that takes a field in several forms.
type own struct {
	PackageID string `json:"package_id"`
	decoded   bool
}

func (o *own) UnmarshalJSON(data []byte) error {
	o.decoded = true
	type plain own
	return json.Unmarshal(data, (*plain)(o))
}

func TestDecodeRefusesWhatLeavesItEmpty(t *testing.T) {
	type embedded struct {
		packageCreated
		Note string
	}
	for _, tt := range []struct {
		name, data string
		into       any
		ok         bool
	}{
		{"a field", `{"package_id":"PKG-1"}`, new(packageCreated), true},
		{"in capitals", `{"PACKAGE_ID":"PKG-1"}`, new(packageCreated), true},
		{"a zero that stands there", `{"gb":0}`, new(packageCreated), true},
		{"of an embedded struct", `{"gb":1}`, new(embedded), true},
		{"untagged", `{"note":"a"}`, new(embedded), true},
		{"a type that decodes itself", `{"package_id":"PKG-1"}`, new(own), true},
		{"a map of nothing", `{}`, new(map[string]any), true},
		{"a list", `[1]`, new([]int), true},
		{"a pointer to a pointer", `{"gb":1}`, new(*packageCreated), true},
		{"nothing", `{}`, new(packageCreated), false},
		{"null", `null`, new(packageCreated), false},
		{"blanks and null", " null ", new(packageCreated), false},
		{"null for a map", `null`, new(map[string]any), false},
		{"null fields", `{"package_id":null,"gb":null}`, new(packageCreated), false},
		{"other fields", `{"id":"PKG-1"}`, new(packageCreated), false},
		{"other fields for one that decodes itself", `{"id":"PKG-1"}`, new(own), false},
		{"a list for a struct", `[]`, new(packageCreated), false},
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
