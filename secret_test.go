package whozex_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const secretValue = "hush-hush"

// secretive are the types with a secret, or with a body that may contain one.
var typesWithSecrets = []any{
	whozex.Package{}, whozex.Credentials{}, whozex.ProxyEndpoint{}, whozex.Webhook{}, whozex.RegeneratedKey{},
	whozex.Outcome{}, whozex.Response{}, whozex.Error{}, whozex.ResponseError{}, whozex.OutcomeUnknownError{},
	whozex.Secret(""), whozex.SecretBytes(nil),
}

// TestSecret_AllTypes finds these types in the source: all exported types with an exported
// field of a secret type, or of a type that contains one.
func TestSecret_AllTypes(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	fields := map[string][]string{} // the names of all types in a struct's exported fields
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !spec.Name.IsExported() {
				return true
			}
			if of, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range of.Fields.List {
					if len(field.Names) > 0 && field.Names[0].IsExported() {
						ast.Inspect(field.Type, func(n ast.Node) bool {
							if id, ok := n.(*ast.Ident); ok {
								fields[spec.Name.Name] = append(fields[spec.Name.Name], id.Name)
							}
							return true
						})
					}
				}
			}
			return true
		})
	}
	want := map[string]bool{"Secret": true, "SecretBytes": true}
	for grown := true; grown; {
		grown = false
		for name, of := range fields {
			if !want[name] && slices.ContainsFunc(of, func(inner string) bool { return want[inner] }) {
				want[name], grown = true, true
			}
		}
	}
	got := map[string]bool{}
	for _, v := range typesWithSecrets {
		got[reflect.TypeOf(v).Name()] = true
	}
	assert.Equal(t, want, got)
}

// fillSecrets sets every field of v that may contain a secret.
func fillSecrets(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[whozex.Secret]():
		v.SetString(secretValue)
	case v.Type() == reflect.TypeFor[whozex.SecretBytes]():
		v.SetBytes([]byte(secretValue))
	case v.Kind() == reflect.Struct:
		for field, in := range v.Fields() {
			if field.IsExported() {
				fillSecrets(in)
			}
		}
	case v.Kind() == reflect.Pointer:
		if v.Type().Elem().PkgPath() == reflect.TypeFor[whozex.Client]().PkgPath() {
			v.Set(reflect.New(v.Type().Elem()))
			fillSecrets(v.Elem())
		}
	}
}

// shapes are the ways in which a program may pass a value to a log.
func shapes(v any) map[string]any {
	of := reflect.TypeOf(v)
	pointer := reflect.New(of)
	pointer.Elem().Set(reflect.ValueOf(v))
	slice := func(v reflect.Value) any {
		return reflect.Append(reflect.MakeSlice(reflect.SliceOf(v.Type()), 0, 1), v).Interface()
	}
	own := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Order", Type: of}, {Name: "Paid", Type: pointer.Type()}})).Elem()
	own.Field(0).Set(reflect.ValueOf(v))
	own.Field(1).Set(pointer)
	return map[string]any{
		"value":           v,
		"pointer":         pointer.Interface(),
		"slice":           slice(reflect.ValueOf(v)),
		"pointers":        slice(pointer),
		"map":             map[string]any{"p": v},
		"map of slices":   map[string][]any{"p": {pointer.Interface(), v}},
		"own struct":      own.Interface(),
		"pointer to own":  own.Addr().Interface(),
		"own structs":     slice(own),
		"struct with any": struct{ Order any }{v},
		"group":           slog.GroupValue(slog.Any("p", v), slog.Any("q", slice(pointer))),
	}
}

// received are results with secrets from calls, which also have the response.
func received(t *testing.T) []any {
	client := mocked(t, map[string]string{
		"/users/u/packages":       `{"id":"p","evomi_password":"` + secretValue + `"}`,
		"/packages/p/credentials": `{"username":"u","password":"` + secretValue + `"}`,
		"/webhooks":               `{"id":"w","secret":"` + secretValue + `"}`,
		"/account/regenerate-key": `{"api_key":"` + secretValue + `"}`,
	})
	pkg, err := client.PurchasePackage(t.Context(), "u", whozex.PurchasePackageParams{GB: 1})
	require.NoError(t, err)
	credentials, err := client.GetCredentials(t.Context(), "p", whozex.Targeting{})
	require.NoError(t, err)
	webhook, err := client.CreateWebhook(t.Context(), whozex.CreateWebhookParams{URL: "https://example.com", Events: []string{"x"}})
	require.NoError(t, err)
	key, err := client.RegenerateKey(t.Context())
	require.NoError(t, err)
	return []any{*pkg, *credentials, *webhook, *key}
}

// verbs are all letters, with all flags that change more than the width. See [Secret]
// for %p and %w.
func verbs() (all []string) {
	for verb := 'A'; verb <= 'z'; verb++ {
		if unicode.IsLetter(verb) && !strings.ContainsRune("pw", verb) {
			for _, flag := range []string{"", "+", "#", " "} {
				all = append(all, "%"+flag+string(verb))
			}
		}
	}
	return all
}

func TestSecret_NeverLogged(t *testing.T) {
	t.Parallel()
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
	for _, verb := range verbs() {
		sinks[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	// Encoded as encoding/json and fmt encode bytes, in lower case, without what separates
	// them. A regular expression takes ten times as long.
	forms := []string{"hush-hush", "ahvzac1odxno", "104117115", "68757368", "0x680x75", "01500165", "11010001110101", "u+0068"}
	separators := strings.NewReplacer(",", "", " ", "")
	leaksIn := func(text string) bool {
		text = separators.Replace(strings.ToLower(text))
		return slices.ContainsFunc(forms, func(form string) bool { return strings.Contains(text, form) })
	}
	texts, leaks := 0, 0
	values := received(t)
	for _, kind := range typesWithSecrets {
		v := reflect.New(reflect.TypeOf(kind)).Elem()
		fillSecrets(v)
		values = append(values, v.Interface())
	}
	for _, v := range values {
		for shape, holder := range shapes(v) {
			for sink, write := range sinks {
				if shape == "group" && strings.HasPrefix(sink, "%") {
					continue // only for handlers
				}
				text := write(holder)
				if texts++; leaksIn(text) && leaks < 10 {
					leaks++
					t.Errorf("%T, %s, %s: %s", v, shape, sink, text)
				}
			}
		}
	}
	t.Logf("%d texts of %d types", texts, len(typesWithSecrets))
}

// TestSecret_Limits checks the exceptions that the documentation of [whozex.Secret] lists.
func TestSecret_Limits(t *testing.T) {
	type order struct{ Password whozex.Secret }
	for _, tt := range []struct {
		name, verb string
		value      any
	}{
		{name: "an unexported field", verb: "%v", value: struct{ password whozex.Secret }{secretValue}},
		{name: "no pointer", verb: "%p", value: whozex.Secret(secretValue)},
		{name: "no error", verb: "%w", value: whozex.Secret(secretValue)},
		{name: "pointers to own structs", verb: "%s", value: []*order{{secretValue}}},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Contains(t, fmt.Sprintf(tt.verb, tt.value), secretValue) })
	}
}

func TestOutcomeUnknownError_Reveal(t *testing.T) {
	unknown := &whozex.OutcomeUnknownError{Operation: whozex.OpCreateWebhook, StatusCode: 200, Body: []byte(secretValue)}
	logged, err := json.Marshal(map[string]any{"order": 1, "unknown": unknown})
	require.NoError(t, err)
	assert.Contains(t, string(logged), `"body":"[redacted]"`)
	stored, err := unknown.Reveal()
	require.NoError(t, err)
	var restored, fromLog whozex.OutcomeUnknownError
	require.NoError(t, json.Unmarshal(stored, &restored))
	assert.Equal(t, unknown, &restored)
	assert.Equal(t, secretValue, string(restored.Body.Reveal()))
	require.NoError(t, json.Unmarshal([]byte(`{"operation":"CreateWebhook","body":"[redacted]"}`), &fromLog))
	assert.Empty(t, fromLog.Body)
	require.NoError(t, json.Unmarshal([]byte(`{"operation":"CreateWebhook","sent_at":"2026-11-28T10:00:00Z","body":"aHVzaC1odXNo"}`), &restored), "as 0.1.0 stored it")
	assert.Equal(t, secretValue, string(restored.Body))
	require.Error(t, json.Unmarshal([]byte(`{"body":"%"}`), &restored))
}

func TestSecret_SlogGroups(t *testing.T) {
	pkg := whozex.Package{ID: "PKG-1", EvomiPassword: secretValue}
	credentials := whozex.Credentials{Username: "wx1", Password: secretValue, HTTP: whozex.ProxyEndpoint{Host: "rp.evomi.com", ConnectionString: secretValue}}
	type order struct {
		Package whozex.Package
		Buyer   string
	}
	for _, tt := range []struct {
		name  string
		value any
		json  string   // after "v":
		text  []string // parts of the line
	}{
		{name: "package", value: pkg, json: `{"id":"PKG-1","proxy_type":"",`, text: []string{" v.id=PKG-1 ", " v.evomi_password=[redacted] "}},
		{name: "pointer", value: &pkg, json: `{"id":"PKG-1","proxy_type":"",`, text: []string{" v.id=PKG-1 "}},
		{name: "packages", value: []whozex.Package{pkg}, json: `[{"id":"PKG-1","proxy_type":"",`, text: []string{"ID:PKG-1", "EvomiPassword:[redacted]"}},
		{name: "map", value: map[string]any{"p": pkg}, json: `{"p":{"id":"PKG-1",`, text: []string{"p:{ID:PKG-1"}},
		{name: "credentials", value: credentials, json: `{"username":"wx1","password":"[redacted]","http":{"host":"rp.evomi.com",`,
			text: []string{" v.http.host=rp.evomi.com ", " v.http.connection_string=[redacted] "}},
		{name: "pointers", value: []*whozex.Credentials{&credentials}, json: `[{"username":"wx1","password":"[redacted]",`, text: []string{"Username:wx1", "Host:rp.evomi.com"}},
		{name: "own struct", value: order{pkg, "john"}, json: `{"Package":{"id":"PKG-1",`, text: []string{"ID:PKG-1", "Buyer:john"}},
		{name: "outcome", value: whozex.Outcome{Verdict: whozex.OutcomeApplied, Package: &pkg}, json: `{"verdict":"applied","reason":"",`,
			text: []string{" v.verdict=applied ", " v.package.id=PKG-1 "}},
		{name: "response", value: whozex.Response{StatusCode: 200, Attempts: 1, Body: []byte(secretValue)}, json: `{"status_code":200,"attempts":1,"bytes":9}`,
			text: []string{" v.status_code=200 ", " v.bytes=9"}},
		{name: "responses", value: []whozex.Response{{StatusCode: 200, Body: []byte(secretValue)}}, json: `[{"status_code":200,`, text: []string{"status 200"}},
		{name: "call", value: whozex.CallInfo{Operation: whozex.OpGetPricing, Duration: 1500 * time.Millisecond, Err: errors.New("lost"), OutcomeUnknown: true},
			json: `{"operation":"GetPricing","method":"","route":"","attempts":0,"status":0,"cached":false,"duration":"1.5s",`,
			text: []string{" v.operation=GetPricing ", " v.duration=1.5s ", " v.outcome=unknown ", " v.error=lost"}},
		{name: "error", value: &whozex.Error{Code: "NOT_FOUND", StatusCode: 404, Body: []byte(secretValue)}, json: `"whozex: `, text: []string{"NOT_FOUND (404)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asJSON, asText bytes.Buffer
			slog.New(slog.NewJSONHandler(&asJSON, nil)).Info("x", "v", tt.value)
			slog.New(slog.NewTextHandler(&asText, nil)).Info("x", "v", tt.value)
			require.True(t, json.Valid(asJSON.Bytes()))
			assert.Contains(t, asJSON.String(), `"v":`+tt.json)
			for _, part := range tt.text {
				assert.Contains(t, asText.String(), part)
			}
			assert.NotContains(t, asJSON.String()+asText.String(), secretValue)
		})
	}
}

func TestSecret_Reveal(t *testing.T) {
	var p whozex.Package
	require.NoError(t, json.Unmarshal([]byte(`{"evomi_password":"`+secretValue+`"}`), &p))
	assert.Equal(t, secretValue, p.EvomiPassword.Reveal())
	stored, err := json.Marshal(map[string]string{"password": p.EvomiPassword.Reveal()})
	require.NoError(t, err)
	assert.Contains(t, string(stored), secretValue)
	text, err := xml.Marshal(p.EvomiPassword)
	require.NoError(t, err)
	assert.Equal(t, "<Secret>[redacted]</Secret>", string(text))
}
