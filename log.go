package whozex

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/internal/wire"
)

// WithLogger logs to logger:
//
//	"whozex call"     info    a call that succeeded
//	"whozex call"     error   a call that failed, or whose outcome is unknown
//	"whozex retry"    warn    before an attempt is repeated
//	"whozex attempt"  debug   the end of each attempt
//
// The fields of a call are those of [CallInfo]: operation, method, route, attempts,
// status, cached, duration, waited and on_wire, outcome ("ok", "error" or
// "unknown"), and code and error if there is one. An attempt has operation, attempt,
// status, duration, waited and, without a whole response, error. A retry has operation,
// the attempt before it, its status, and reason. Durations are strings such as 1.5s, and
// status is 0 without a response.
//
// No body, query or key is logged. The text of an error may contain ids and the API's
// message. Without WithLogger the client logs nothing.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) error {
		if s.log = nil; logger != nil {
			s.log = slogReporter{logger}
		}
		return nil
	}
}

// reporter writes the log. It is an interface so that a program without [WithLogger]
// does not link package slog.
type reporter interface {
	insecure(base string)
	call(context.Context, *CallInfo, *wire.Key)
	attempt(ctx context.Context, a *attempt, waited time.Duration)
	retry(context.Context, *attempt)
}

type slogReporter struct{ *slog.Logger }

func (l slogReporter) insecure(base string) {
	l.LogAttrs(context.Background(), slog.LevelWarn, "whozex: the API key travels unencrypted", slog.String("base_url", base))
}

func (l slogReporter) call(ctx context.Context, info *CallInfo, key *wire.Key) {
	level := slog.LevelInfo
	if info.Err != nil {
		level = slog.LevelError
	}
	if !l.Enabled(ctx, level) {
		return
	}
	l.LogAttrs(ctx, level, "whozex call", info.attrs(key)...)
}

// LogValue implements [slog.LogValuer] with the fields of the record "whozex call", see
// [WithLogger].
func (c CallInfo) LogValue() slog.Value { return slog.GroupValue(c.attrs(nil)...) }

func (c *CallInfo) attrs(key *wire.Key) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("operation", string(c.Operation)),
		slog.String("method", c.Method),
		slog.String("route", c.Route),
		slog.Int("attempts", c.Attempts),
		slog.Int("status", c.StatusCode),
		slog.Bool("cached", c.Cached),
		readable("duration", c.Duration),
		readable("waited", c.Waited),
		readable("on_wire", c.OnWire),
		slog.String("outcome", c.Outcome()),
	}
	if c.Code != "" {
		attrs = append(attrs, slog.String("code", sanitize(c.Code, key)))
	}
	if c.Err != nil {
		attrs = append(attrs, slog.String("error", sanitize(c.Err.Error(), key)))
	}
	return attrs
}

func (l slogReporter) attempt(ctx context.Context, a *attempt, waited time.Duration) {
	if !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", string(a.Operation)),
		slog.Int("attempt", a.Number),
		slog.Int("status", a.status),
		readable("duration", a.endedAt.Sub(a.sentAt)),
		readable("waited", waited),
	}
	if a.err != nil {
		attrs = append(attrs, slog.String("error", sanitize(a.err.Error(), a.Key)))
	}
	l.LogAttrs(ctx, slog.LevelDebug, "whozex attempt", attrs...)
}

// retry logs why the last attempt is repeated.
func (l slogReporter) retry(ctx context.Context, a *attempt) {
	if !l.Enabled(ctx, slog.LevelWarn) {
		return
	}
	reason := cmp.Or(http.StatusText(a.status), fmt.Sprint("status ", a.status))
	if a.err != nil {
		reason = sanitize(a.err.Error(), a.Key)
	}
	l.LogAttrs(ctx, slog.LevelWarn, "whozex retry",
		slog.String("operation", string(a.Operation)),
		slog.Int("attempt", a.Number),
		slog.Int("status", a.status),
		slog.String("reason", reason),
	)
}

func readable(name string, d time.Duration) slog.Attr {
	return slog.String(name, d.Round(time.Microsecond).String())
}
