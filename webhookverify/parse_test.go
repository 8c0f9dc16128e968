package webhookverify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

// TestParseEvent_SameAsReadRequest checks that both functions return the same.
func TestParseEvent_SameAsReadRequest(t *testing.T) {
	now := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	v := newVerifier(t, webhookverify.WithPreviousSecret(old), webhookverify.WithMaxBodyBytes(500),
		webhookverify.WithMaxAge(time.Hour), webhookverify.WithClock(func() time.Time { return now }),
		webhookverify.WithSecrets(map[string]string{"WH-1": "wxsec_named"}))
	long := `{"event":"` + strings.Repeat("x", 500) + `"}`
	packed := gzipped(t, created)
	bomb := gzipped(t, `{"event":"`+strings.Repeat("x", 5000)+`"}`)
	stale := `{"event":"x","timestamp":"2020-01-01T12:00:00Z"}`
	for _, tt := range []struct {
		name, body, signature string
		want                  error
		status                int
	}{
		{name: "genuine", body: created, signature: sign(created), status: 200},
		{name: "previous secret", body: created, signature: webhookverify.Sign([]byte(created), old), status: 200},
		{name: "named secret", body: created, signature: webhookverify.Sign([]byte(created), "wxsec_named"), status: 200},
		{name: "gzip that was signed", body: packed, signature: sign(packed), status: 200},
		{name: "zlib that was signed", body: deflated(t, created), signature: sign(deflated(t, created)), status: 200},
		{name: "gzip of too much", body: bomb, signature: sign(bomb), want: webhookverify.ErrMalformedEvent, status: 400},
		{name: "no signature", body: created, want: webhookverify.ErrMissingSignature, status: 401},
		{name: "malformed", body: created, signature: "sha256=x", want: webhookverify.ErrMalformedSignature, status: 401},
		{name: "forged", body: created, signature: sign("x"), want: webhookverify.ErrSignatureMismatch, status: 401},
		{name: "too large", body: long, signature: sign(long), want: webhookverify.ErrBodyTooLarge, status: 413},
		{name: "stale", body: stale, signature: sign(stale), want: webhookverify.ErrStale, status: 400},
		{name: "no event", body: "{}", signature: sign("{}"), want: webhookverify.ErrMalformedEvent, status: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			event, err := v.ParseEvent([]byte(tt.body), tt.signature)
			r := signed(tt.body)
			r.Header.Set(webhookverify.SignatureHeader, tt.signature)
			same, other := v.ReadRequest(r)
			assert.Equal(t, same, event)
			assert.Equal(t, other, err)
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, tt.status, webhookverify.Status(err))
			assert.Equal(t, tt.want == nil, event != nil)
			if tt.status != 413 { // Verify has the body already
				assert.Equal(t, err, v.Verify([]byte(tt.body), tt.signature))
			}
			if event != nil {
				assert.Equal(t, created, string(event.Body))
			}
		})
	}
}

func TestParseEvent_CopiesBody(t *testing.T) {
	body := []byte(created)
	event, err := newVerifier(t).ParseEvent(body, sign(created))
	require.NoError(t, err)
	clear(body)
	assert.Equal(t, created, string(event.Body))
	assert.Contains(t, string(event.Data), "PKG-A1B2C3")
}

func TestOnce(t *testing.T) {
	failed := errors.New("failed")
	handled := 0
	v := newVerifier(t, withMemoryStore())
	event, err := v.ParseEvent([]byte(created), sign(created))
	require.NoError(t, err)
	once := func(handle func(context.Context, *webhookverify.Event) error) error {
		return v.Once(t.Context(), event, func(ctx context.Context, event *webhookverify.Event) error {
			handled++
			return handle(ctx, event)
		})
	}
	err = once(func(context.Context, *webhookverify.Event) error { return failed })
	require.ErrorIs(t, err, failed)
	assert.Equal(t, 500, webhookverify.Status(err))
	err = once(func(context.Context, *webhookverify.Event) error { panic(failed) })
	require.ErrorIs(t, err, failed)
	require.ErrorAs(t, err, new(*webhookverify.PanicError))
	assert.Equal(t, 500, webhookverify.Status(err))
	err = once(func(context.Context, *webhookverify.Event) error {
		err := once(webhookverify.Ignore)
		assert.ErrorIs(t, err, webhookverify.ErrInProgress)
		assert.Equal(t, 503, webhookverify.Status(err))
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, once(func(context.Context, *webhookverify.Event) error { return failed }), "handled before")
	assert.Equal(t, 3, handled)
}
