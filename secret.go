package whozex

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a value that must not reach a log: a key, a password, a connection
// string. It prints as [redacted] with every verb of fmt and in slog, alone or
// inside the structs of this package. string(s) is the value. JSON carries the
// value, since that is how it is stored and sent on.
type Secret string

// Format implements [fmt.Formatter]: it writes [redacted] whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String returns [redacted].
func (Secret) String() string { return redacted }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// logSafe renders a struct that holds secrets for slog, whose JSON handler
// would otherwise marshal it, values and all.
func logSafe(v any) slog.Value { return slog.StringValue(fmt.Sprintf("%+v", v)) }
