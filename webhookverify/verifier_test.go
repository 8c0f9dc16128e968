package webhookverify_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

const old = "wxsec_the_previous_one"

func newVerifier(t testing.TB, opts ...webhookverify.Option) *webhookverify.Verifier {
	t.Helper()
	v, err := webhookverify.New(secret, opts...)
	require.NoError(t, err)
	return v
}

func TestWithPreviousSecret(t *testing.T) {
	body := []byte("{}")
	v := newVerifier(t, webhookverify.WithPreviousSecret(old))
	assert.NoError(t, v.Verify(body, webhookverify.Sign(body, secret)))
	assert.NoError(t, v.Verify(body, webhookverify.Sign(body, old)))
	assert.ErrorIs(t, v.Verify(body, webhookverify.Sign(body, "third")), webhookverify.ErrSignatureMismatch)
	assert.ErrorIs(t, newVerifier(t).Verify(body, webhookverify.Sign(body, old)), webhookverify.ErrSignatureMismatch)
	assert.ErrorIs(t, v.Verify(body, ""), webhookverify.ErrMissingSignature)
}

func TestWithMaxAge(t *testing.T) {
	now := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string {
		return `{"event":"x","timestamp":"` + now.Add(d).Format("2006-01-02T15:04:05.000Z07:00") + `"}`
	}
	tests := []struct {
		name, body string
		want       error
	}{
		{"now", at(0), nil},
		{"at the limit", at(-5 * time.Minute), nil},
		{"too old", at(-5*time.Minute - time.Millisecond), webhookverify.ErrStale},
		{"at the limit in the future", at(5 * time.Minute), nil},
		{"too far in the future", at(5*time.Minute + time.Millisecond), webhookverify.ErrStale},
		{"a century off", at(-100 * 365 * 24 * time.Hour), webhookverify.ErrStale},
		{"the year 1", `{"event":"x","timestamp":"0001-01-01T00:00:01Z"}`, webhookverify.ErrStale},
		{"the year 9999", `{"event":"x","timestamp":"9999-12-31T23:59:59Z"}`, webhookverify.ErrStale},
		{"another zone", `{"event":"x","timestamp":"2025-01-01T15:00:00+03:00"}`, nil},
		{"none", `{"event":"x"}`, webhookverify.ErrMalformedEvent},
		{"unreadable", `{"event":"x","timestamp":"noon"}`, webhookverify.ErrMalformedEvent},
		{"a number", `{"event":"x","timestamp":1735732800}`, webhookverify.ErrMalformedEvent},
		{"two", `{"event":"x","timestamp":"2025-01-01T12:00:00Z","timestamp":"2025-01-01T12:00:00Z"}`, webhookverify.ErrMalformedEvent},
		{"no event", `[]`, webhookverify.ErrMalformedEvent},
	}
	strict := newVerifier(t, webhookverify.WithMaxAge(5*time.Minute), webhookverify.WithClock(func() time.Time { return now }))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signature := webhookverify.Sign([]byte(tt.body), secret)
			assert.ErrorIs(t, strict.Verify([]byte(tt.body), signature), tt.want)
			assert.NoError(t, newVerifier(t).Verify([]byte(tt.body), signature), "off by default")
			assert.ErrorIs(t, strict.Verify([]byte(tt.body), webhookverify.Sign([]byte(tt.body), old)), webhookverify.ErrSignatureMismatch)
		})
	}
}

func TestNew_InvalidOptions(t *testing.T) {
	for name, opt := range map[string]webhookverify.Option{
		"max age":                            webhookverify.WithMaxAge(0),
		"max body bytes":                     webhookverify.WithMaxBodyBytes(-1),
		"the clock":                          webhookverify.WithClock(nil),
		"the replay store is nil":            webhookverify.WithReplayStore(nil),
		"the error handler":                  webhookverify.WithErrorHandler(nil),
		"positive ttl and max, not 0s":       webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(0, 1)),
		"positive ttl and max, not 1s and 0": webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(time.Second, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := webhookverify.New(secret, opt)
			assert.ErrorContains(t, err, name)
		})
	}
}

func TestVerifier_PrintsNoSecret(t *testing.T) {
	v := newVerifier(t, webhookverify.WithPreviousSecret(old))
	var out bytes.Buffer
	for _, value := range []any{v, *v, []any{v, *v}, struct{ V *webhookverify.Verifier }{v}, struct{ V webhookverify.Verifier }{*v}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			_, _ = fmt.Fprintf(&out, verb, value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", value)
	}
	assert.NotContains(t, out.String(), "wxsec")
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", "wxsec"))
	assert.Contains(t, out.String(), "webhookverify.Verifier")
}
