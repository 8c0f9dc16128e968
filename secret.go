package whozex

import (
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/whozex/whozex-go/internal/wire"
)

const redacted = "[redacted]"

// Secret is a value that must not reach a log: a key, a password, a connection string.
// Printing or encoding it gives [redacted]: every verb of fmt, slog, JSON, and whatever
// else uses [encoding.TextMarshaler], alone or inside any struct, slice or map. Use
// [Secret.Reveal] to store or forward the value. Decoding sets the value unchanged.
//
// fmt prints a Secret in two cases, because it does not call its methods: in an unexported
// field of your own struct, also in slog's TextHandler; and for a verb that does not fit
// the value, which go vet reports: %w outside fmt.Errorf, %p for a value that is not a
// pointer, and verbs such as %s for a pointer to your own struct in a slice or map.
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

// SecretBytes is a body that may hold secrets. It prints and encodes as [redacted],
// as a [Secret] does, and can be used as a []byte. It decodes from base64, as JSON
// encodes bytes; [redacted] decodes to nil.
type SecretBytes []byte

// Reveal returns the bytes themselves, as []byte(b) does.
func (b SecretBytes) Reveal() []byte { return b }

// Format implements [fmt.Formatter]: it writes [redacted] whatever the verb.
func (SecretBytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns [redacted].
func (SecretBytes) String() string { return redacted }

// MarshalText implements [encoding.TextMarshaler]: it returns [redacted], or nothing
// without bytes.
func (b SecretBytes) MarshalText() ([]byte, error) { return Secret(b).MarshalText() }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *SecretBytes) UnmarshalText(text []byte) (err error) {
	if *b = nil; string(text) != redacted {
		*b, err = base64.StdEncoding.AppendDecode(nil, text)
	}
	return err
}

// LogValue implements [slog.LogValuer].
func (SecretBytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// formatText prints text instead of a value, whatever the verb: a verb that does not fit
// would print the value's fields.
func formatText(f fmt.State, verb rune, text string) {
	if verb == 'v' {
		_, _ = io.WriteString(f, text)
		return
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), text)
}

// logGroup returns v, a struct, as a group of its exported fields by JSON name, without
// those that are nil.
func logGroup(v any) slog.Value {
	value := reflect.ValueOf(v)
	var attrs []slog.Attr
	for field, in := range value.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() && name != "" && name != "-" &&
			(in.Kind() != reflect.Pointer || !in.IsNil()) {
			attrs = append(attrs, slog.Any(name, in.Interface()))
		}
	}
	return slog.GroupValue(attrs...)
}

// keyring has the current key behind a pointer, where no verb of fmt prints it.
type keyring struct {
	name    string // of the header, in canonical form
	prefix  string
	current atomic.Pointer[wire.Key]
}

func newKeyring(key string, ownHeader bool) (*keyring, error) {
	ring := &keyring{name: "Authorization", prefix: "Bearer "}
	if ownHeader {
		ring.name, ring.prefix = "X-Api-Key", ""
	}
	return ring, ring.set(key)
}

func (r *keyring) set(key string) error {
	made, err := r.make(key)
	if err != nil {
		return err
	}
	r.current.Store(made)
	return nil
}

// replace sets key unless the key used was replaced already.
func (r *keyring) replace(used *wire.Key, key string) error {
	made, err := r.make(key)
	if err != nil {
		return err
	}
	r.current.CompareAndSwap(used, made)
	return nil
}

func (r *keyring) make(key string) (*wire.Key, error) {
	if key == "" {
		return nil, &ParamError{Field: "API key", Reason: "is required", class: ErrMissingAPIKey}
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return nil, invalid("API key", "contains whitespace or a character that is not allowed in a header, at byte %d", i)
		}
	}
	return &wire.Key{Value: key, Header: []string{r.prefix + key}}, nil
}
