package whozex

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
)

const redacted = "[redacted]"

// Secret is a value that must not reach a log: a key, a password, a connection
// string. Whatever prints or encodes it gives [redacted]: every verb of fmt, slog,
// JSON, and what else goes by [encoding.TextMarshaler], alone or inside any struct,
// slice or map. [Secret.Reveal] is the value, to be stored and sent on. Decoding
// takes the value as it stands.
//
// One thing passes all methods: fmt with a verb that does not fit, such as %s, for a
// pointer to a struct of yours within a slice or map. The structs of this package
// are safe there too.
type Secret string

// Reveal returns the value, as string(s) does.
func (s Secret) Reveal() string { return string(s) }

// Format implements [fmt.Formatter]: it writes [redacted] whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns [redacted].
func (Secret) String() string { return redacted }

// MarshalText implements [encoding.TextMarshaler]: it returns [redacted], or nothing
// for an empty secret.
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return []byte(redacted), nil
}

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// logGroup is v, a struct, as a group of its exported fields by their JSON names.
func logGroup(v any) slog.Value {
	value := reflect.ValueOf(v)
	var attrs []slog.Attr
	for field, in := range value.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() && name != "" && name != "-" {
			attrs = append(attrs, slog.Any(name, in.Interface()))
		}
	}
	return slog.GroupValue(attrs...)
}
