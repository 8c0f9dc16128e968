package whozex_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// logFields are the allowed fields of a record, by its message.
var logFields = map[string][]string{
	"whozex call": {
		"operation", "method", "route", "attempts", "status", "cached", "duration", "waited", "on_wire", "outcome", "code", "error",
	},
	"whozex attempt": {"operation", "attempt", "status", "duration", "waited", "error"},
	"whozex retry":   {"operation", "attempt", "status", "reason"},
}

// records parses a log and checks it against logFields.
func records(t *testing.T, log *bytes.Buffer) (lines []string, fields []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(log.Bytes()) {
		var got map[string]any
		require.NoError(t, json.Unmarshal(line, &got))
		message := got["msg"].(string)
		require.Contains(t, logFields, message)
		for name := range maps.Keys(got) {
			assert.Contains(t, append([]string{"time", "level", "msg"}, logFields[message]...), name)
		}
		for _, name := range []string{"duration", "waited", "on_wire"} {
			if text, found := got[name]; found {
				_, err := time.ParseDuration(text.(string))
				assert.NoError(t, err)
			}
		}
		lines = append(lines, got["level"].(string)+" "+strings.TrimPrefix(message, "whozex "))
		fields = append(fields, got)
	}
	return lines, fields
}

func debugLog() (*bytes.Buffer, whozex.Option) {
	var log bytes.Buffer
	return &log, whozex.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func TestWithLogger_Fields(t *testing.T) {
	log, logged := debugLog()
	var seen atomic.Int32
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if seen.Add(1) == 1 {
			respond(w, 503, "secret-of-the-response "+testKey)
			return
		}
		respond(w, 200, ok(`{"id":"u2","balance":1,"users":[{"id":"u1","email":"secret-of-the-response","balance":1}]}`))
	}, logged)
	_, err := client.ListUsers(t.Context(), whozex.ListUsersParams{Search: "secret-of-the-query"})
	require.NoError(t, err)
	_, err = client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "secret-of@the.body"})
	require.NoError(t, err)

	assert.NotContains(t, log.String(), "secret")
	assert.NotContains(t, log.String(), testKey)
	lines, fields := records(t, log)
	assert.Equal(t, []string{"DEBUG attempt", "WARN retry", "DEBUG attempt", "INFO call", "DEBUG attempt", "INFO call"}, lines)
	assert.Equal(t, "Service Unavailable", fields[1]["reason"])
	assert.EqualValues(t, 2, fields[3]["attempts"])
	assert.Equal(t, "/users", fields[3]["route"])
	assert.Equal(t, "ok", fields[3]["outcome"])
}

func TestWithLogger_Failures(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		lines   []string
		call    map[string]any
	}{
		{
			name: "a lost response", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			lines: []string{"DEBUG attempt", "ERROR call"},
			call:  map[string]any{"status": 0.0, "outcome": "unknown", "error": "whozex: outcome of AddGB unknown: POST /packages/p/add-gb: EOF"},
		},
		{
			name: "unreadable", handler: func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, "<html>") },
			lines: []string{"DEBUG attempt", "ERROR call"},
			call:  map[string]any{"status": 200.0, "outcome": "unknown"},
		},
		{
			name: "refused", handler: func(w http.ResponseWriter, _ *http.Request) {
				respond(w, 404, refusal("NOT_FOUND", "no such package for "+testKey+"\nERROR forged"))
			},
			lines: []string{"DEBUG attempt", "ERROR call"},
			call: map[string]any{
				"status": 404.0, "outcome": "error", "code": "NOT_FOUND",
				"error": "whozex: POST /packages/p/add-gb: NOT_FOUND (404): no such package for [redacted] ERROR forged",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, logged := debugLog()
			client := serve(t, tt.handler, logged)
			_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.Error(t, err)
			lines, fields := records(t, log)
			assert.Equal(t, tt.lines, lines)
			for name, want := range tt.call {
				assert.Equal(t, want, fields[len(fields)-1][name], name)
			}
			_, failed := fields[0]["error"]
			assert.Equal(t, tt.call["status"] == 0.0, failed, "an attempt without a response says why")
			assert.NotContains(t, log.String(), testKey)
		})
	}
}

func TestWithLogger_RetryReason(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc // of the first attempt
		status  float64
		reason  string
		timeout time.Duration
	}{
		{name: "a status", handler: func(w http.ResponseWriter, _ *http.Request) { respond(w, 502, "") }, status: 502, reason: "Bad Gateway"},
		{name: "429", handler: func(w http.ResponseWriter, _ *http.Request) { respond(w, 429, refusal("X", "")) }, status: 429, reason: "Too Many Requests"},
		{name: "a status without a name", handler: func(w http.ResponseWriter, _ *http.Request) { respond(w, 520, "") }, status: 520, reason: "status 520"},
		{name: "a lost response", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, reason: "EOF"},
		{name: "a timeout", handler: func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, reason: "within 100ms", timeout: 100 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, logged := debugLog()
			var seen atomic.Int32
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if seen.Add(1) == 1 {
					tt.handler(w, r)
					return
				}
				respond(w, 200, ok(`{"is_vip":true,"plans":[]}`))
			}, logged, whozex.WithTimeout(cmp.Or(tt.timeout, time.Minute)))
			_, err := client.GetPricing(t.Context(), whozex.MaxRetries(50))
			require.NoError(t, err)
			lines, fields := records(t, log)
			assert.Equal(t, []string{"DEBUG attempt", "WARN retry"}, lines[:2])
			assert.Equal(t, 1.0, fields[1]["attempt"])
			assert.Equal(t, tt.status, fields[1]["status"])
			assert.Contains(t, fields[1]["reason"], tt.reason)
		})
	}
}

func TestWithLogger_Cached(t *testing.T) {
	log, logged := debugLog()
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, 200, ok(`{"is_vip":true,"plans":[]}`))
	}, logged, whozex.WithCache(time.Hour))
	for range 2 {
		_, err := client.GetPricing(t.Context())
		require.NoError(t, err)
	}
	lines, fields := records(t, log)
	assert.Equal(t, []string{"DEBUG attempt", "INFO call", "INFO call"}, lines)
	assert.Equal(t, true, fields[2]["cached"])
	assert.True(t, slices.Equal([]any{1.0, 0.0}, []any{fields[1]["attempts"], fields[2]["attempts"]}))
}
