package whozex_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const hush = "hush-hush"

// secretive are the types that hold a secret, or a body that may hold one.
var secretive = []any{
	whozex.Package{}, whozex.Credentials{}, whozex.ProxyEndpoint{}, whozex.Webhook{}, whozex.RegeneratedKey{},
	whozex.Outcome{}, whozex.Response{}, &whozex.Error{}, &whozex.ResponseError{}, whozex.Secret(""),
}

// fill puts a secret into all of v that may hold one.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[whozex.Secret]():
		v.SetString(hush)
	case v.Type() == reflect.TypeFor[[]byte]():
		v.SetBytes([]byte(hush))
	case v.Kind() == reflect.Struct:
		for field, in := range v.Fields() {
			if field.IsExported() {
				fill(in)
			}
		}
	case v.Kind() == reflect.Pointer:
		if v.Type().Elem().PkgPath() == reflect.TypeFor[whozex.Client]().PkgPath() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		}
	}
}

// shapes are the ways in which programs come to hand a value to a log.
func shapes(v any) map[string]any {
	slice := reflect.MakeSlice(reflect.SliceOf(reflect.TypeOf(v)), 0, 1)
	slice = reflect.Append(slice, reflect.ValueOf(v))
	pointer := reflect.New(reflect.TypeOf(v))
	pointer.Elem().Set(reflect.ValueOf(v))
	return map[string]any{
		"value":      v,
		"pointer":    pointer.Interface(),
		"slice":      slice.Interface(),
		"map":        map[string]any{"p": v},
		"map of it":  map[string][]any{"p": {pointer.Interface(), v}},
		"own struct": struct{ Order any }{v},
		"group":      slog.GroupValue(slog.Any("p", v), slog.Any("q", slice.Interface())),
	}
}

func TestNoLogHoldsASecret(t *testing.T) {
	logged := func(handler func(*bytes.Buffer) slog.Handler) func(any) string {
		return func(v any) string {
			var log bytes.Buffer
			logger := slog.New(handler(&log))
			logger.Info("x", "v", v)
			logger.With("v", v).WithGroup("g").Info("x")
			return log.String()
		}
	}
	sinks := map[string]func(any) string{
		"json": func(v any) string { text, err := json.Marshal(v); return fmt.Sprintf("%s %v", text, err) },
		"slog json": logged(func(log *bytes.Buffer) slog.Handler {
			return slog.NewJSONHandler(log, nil)
		}),
		"slog text": logged(func(log *bytes.Buffer) slog.Handler {
			return slog.NewTextHandler(log, nil)
		}),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		sinks[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	var seen int
	for _, kind := range secretive {
		v := reflect.New(reflect.TypeOf(kind))
		fill(v.Elem())
		if v.Elem().Kind() == reflect.Pointer {
			require.False(t, v.Elem().IsNil())
		}
		for shape, holder := range shapes(v.Elem().Interface()) {
			for sink, write := range sinks {
				// Of its own kind, and encoded as encoding/json encodes bytes.
				text := write(holder)
				for _, form := range []string{hush, "aHVzaC1odXNo", "104 117 115 104", "68757368", "0x68, 0x75"} {
					assert.NotContains(t, text, form, "%T, %s, %s", kind, shape, sink)
				}
				seen++
			}
		}
	}
	t.Logf("%d texts of %d types", seen, len(secretive))
}

func TestSlogGroupsKeepTheirFields(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("bought", "pkg", whozex.Package{ID: "PKG-1", EvomiPassword: hush},
		"credentials", whozex.Credentials{HTTP: whozex.ProxyEndpoint{Host: "rp.evomi.com", ConnectionString: hush}},
		"all", []whozex.Package{{ID: "PKG-2"}})
	var got struct {
		Pkg         map[string]any
		Credentials struct{ HTTP map[string]any }
		All         []map[string]any
	}
	require.NoError(t, json.Unmarshal(log.Bytes(), &got), log.String())
	assert.Equal(t, "PKG-1", got.Pkg["id"])
	assert.Equal(t, "[redacted]", got.Pkg["evomi_password"])
	assert.Equal(t, "rp.evomi.com", got.Credentials.HTTP["host"])
	assert.Equal(t, "PKG-2", got.All[0]["id"])
	log.Reset()
	slog.New(slog.NewTextHandler(&log, nil)).Info("bought", "pkg", whozex.Package{ID: "PKG-1"})
	assert.Contains(t, log.String(), " pkg.id=PKG-1 ")
}

func TestASecretIsStoredByReveal(t *testing.T) {
	var p whozex.Package
	require.NoError(t, json.Unmarshal([]byte(`{"evomi_password":"`+hush+`"}`), &p))
	assert.Equal(t, hush, p.EvomiPassword.Reveal())
	stored, err := json.Marshal(map[string]string{"password": p.EvomiPassword.Reveal()})
	require.NoError(t, err)
	assert.Contains(t, string(stored), hush)
	text, err := xml.Marshal(p.EvomiPassword)
	require.NoError(t, err)
	assert.Equal(t, "<Secret>[redacted]</Secret>", string(text))
}
