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

// TestParseEventIsReadRequestWithoutARequest holds both to the same results.
func TestParseEventIsReadRequestWithoutARequest(t *testing.T) {
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
		{"genuine", created, sign(created), nil, 200},
		{"previous secret", created, webhookverify.Sign([]byte(created), old), nil, 200},
		{"named secret", created, webhookverify.Sign([]byte(created), "wxsec_named"), nil, 200},
		{"gzip that was signed", packed, sign(packed), nil, 200},
		{"zlib that was signed", deflated(t, created), sign(deflated(t, created)), nil, 200},
		{"gzip of too much", bomb, sign(bomb), webhookverify.ErrMalformedEvent, 400},
		{"no signature", created, "", webhookverify.ErrMissingSignature, 401},
		{"malformed", created, "sha256=x", webhookverify.ErrMalformedSignature, 401},
		{"forged", created, sign("x"), webhookverify.ErrSignatureMismatch, 401},
		{"too large", long, sign(long), webhookverify.ErrBodyTooLarge, 413},
		{"stale", stale, sign(stale), webhookverify.ErrStale, 400},
		{"no event", "{}", sign("{}"), webhookverify.ErrMalformedEvent, 400},
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

func TestAnEventOutlivesTheBytesItCameFrom(t *testing.T) {
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
	v := newVerifier(t, remembering())
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
