package whozex

import (
	"context"
	"log/slog"
	"net/http"
	"time"
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
// "unknown"), and code and error if there are such. An attempt has operation,
// attempt, status, duration, waited and, without a whole response, error; a retry
// operation, the attempt before, its status, and reason. Durations are texts such
// as 1.5s, and status is 0 without a response.
//
// No body, no query and no key is logged. The text of an error may hold ids and the
// API's own message. Without it the client is silent.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) error {
		s.logger = logger
		return nil
	}
}

func (c *Client) logCall(ctx context.Context, info *CallInfo) {
	level := slog.LevelInfo
	if info.Err != nil {
		level = slog.LevelError
	}
	if !c.logs(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", string(info.Operation)),
		slog.String("method", info.Method),
		slog.String("route", info.Route),
		slog.Int("attempts", info.Attempts),
		slog.Int("status", info.StatusCode),
		slog.Bool("cached", info.Cached),
		readable("duration", info.Duration),
		readable("waited", info.Waited),
		readable("on_wire", info.OnWire),
		slog.String("outcome", info.Outcome()),
	}
	if info.Code != "" {
		attrs = append(attrs, slog.String("code", tidy(info.Code, c.keys.current.Load())))
	}
	if info.Err != nil {
		attrs = append(attrs, slog.String("error", tidy(info.Err.Error(), c.keys.current.Load())))
	}
	c.logger.LogAttrs(ctx, level, "whozex call", attrs...)
}

func (s *settings) logAttempt(ctx context.Context, a *attempt, waited time.Duration) {
	if !s.logs(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", string(a.op)),
		slog.Int("attempt", a.number),
		slog.Int("status", a.status),
		readable("duration", a.endedAt.Sub(a.sentAt)),
		readable("waited", waited),
	}
	if a.err != nil {
		attrs = append(attrs, slog.String("error", tidy(a.err.Error(), a.key)))
	}
	s.logger.LogAttrs(ctx, slog.LevelDebug, "whozex attempt", attrs...)
}

// logRetry says why the last attempt is repeated.
func (s *settings) logRetry(ctx context.Context, a *attempt) {
	if !s.logs(ctx, slog.LevelWarn) {
		return
	}
	reason := http.StatusText(a.status)
	if a.err != nil {
		reason = tidy(a.err.Error(), a.key)
	}
	s.logger.LogAttrs(ctx, slog.LevelWarn, "whozex retry",
		slog.String("operation", string(a.op)),
		slog.Int("attempt", a.number),
		slog.Int("status", a.status),
		slog.String("reason", reason),
	)
}

func (s *settings) logs(ctx context.Context, level slog.Level) bool {
	return s.logger != nil && s.logger.Enabled(ctx, level)
}

func readable(name string, d time.Duration) slog.Attr {
	return slog.String(name, d.Round(time.Microsecond).String())
}
