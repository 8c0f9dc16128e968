package webhookverify_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

func gzipped(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func deflated(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// TestExplain sends each body with the signature of another.
func TestExplain(t *testing.T) {
	spaced := `{ "event": "x", "data": {} }`
	for _, tt := range []struct{ name, signed, arrives, says string }{
		{name: "a newline added", signed: created, arrives: created + "\n", says: "without its last newline"},
		{name: "CRLF added", signed: created, arrives: created + "\r\n", says: "without its last newline"},
		{name: "a newline removed", signed: created + "\n", arrives: created, says: "with a newline at its end"},
		{name: "compressed after signing", signed: created, arrives: gzipped(t, created), says: "matches the decompressed body"},
		{name: "deflated after signing", signed: created, arrives: deflated(t, created), says: "matches the decompressed body"},
		{name: "a byte order mark added", signed: created, arrives: "\ufeff" + created, says: "without its byte order mark"},
		{name: "base64 of a gateway", signed: created, arrives: base64.StdEncoding.EncodeToString([]byte(created)), says: "decoded from base64"},
		{name: "base64 of a tool, with a newline", signed: created, arrives: base64.StdEncoding.EncodeToString([]byte(created)) + "\n", says: "decoded from base64"},
		{name: "a JSON string of a queue", signed: created, arrives: strconv.Quote(created), says: "a JSON string"},
		{name: "base64 of something else", signed: created, arrives: base64.StdEncoding.EncodeToString([]byte("else")), says: "does not begin as an event"},
		{name: "indented after signing", signed: `{"event":"x","data":{}}`, arrives: spaced, says: "without its whitespace"},
		{name: "beginning missing", signed: created, arrives: created[10:], says: "beginning may have been read"},
		{name: "empty", signed: created, says: "the body is empty"},
		{name: "gzip of something else", signed: created, arrives: gzipped(t, "else"), says: "the body is gzip"},
		{name: "forged", signed: created, arrives: strings.Replace(created, "20", "21", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			event, err := newVerifier(t).ParseEvent([]byte(tt.arrives), sign(tt.signed))
			require.ErrorIs(t, err, webhookverify.ErrSignatureMismatch)
			assert.Nil(t, event)
			if tt.says == "" {
				assert.Equal(t, webhookverify.ErrSignatureMismatch, err)
				return
			}
			assert.ErrorContains(t, err, tt.says)

			in := newReceiver(t, nil)
			resp, answer := in.post(tt.arrives, sign(tt.signed))
			assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
			assert.Equal(t, "Unauthorized\n", answer, "the reason is for the log alone")
			require.Len(t, in.failures, 1)
			assert.ErrorContains(t, in.failures[0], tt.says)
		})
	}
}

// TestExplain_RateLimited checks that a forged request in a flood costs one HMAC.
func TestExplain_RateLimited(t *testing.T) {
	v := newVerifier(t)
	explained := 0
	for range 1000 {
		_, err := v.ParseEvent([]byte(created+"\n"), sign(created))
		require.ErrorIs(t, err, webhookverify.ErrSignatureMismatch)
		if err != webhookverify.ErrSignatureMismatch {
			explained++
		}
	}
	t.Logf("%d of 1000 explained", explained)
	assert.GreaterOrEqual(t, explained, 8)
	assert.Less(t, explained, 50)
}

// TestExplain_CompressionBomb sends the first half of a gigabyte compressed to a megabyte.
func TestExplain_CompressionBomb(t *testing.T) {
	// A stream of gzip may consist of many.
	bomb := bytes.Repeat([]byte(gzipped(t, string(make([]byte, 1<<20)))), 1<<10)
	require.Greater(t, len(bomb), 1<<20)
	v := newVerifier(t)
	const calls = 50
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		_, err := v.ParseEvent(bomb[:1<<19], sign("x"))
		require.ErrorIs(t, err, webhookverify.ErrSignatureMismatch)
	}
	runtime.ReadMemStats(&after)
	allocated := (after.TotalAlloc - before.TotalAlloc) / calls
	t.Log(allocated, "bytes for each call")
	assert.Less(t, allocated, uint64(16<<20))
}

func TestReadRequest_BodyConsumed(t *testing.T) {
	read := func(n int64) func(*http.Request) {
		return func(r *http.Request) { _, _ = io.CopyN(io.Discard, r.Body, n) }
	}
	for _, tt := range []struct {
		name   string
		before func(*http.Request)
		length int64
	}{
		{"whole", read(1 << 20), int64(len(created))},
		{"in part", read(10), int64(len(created))},
		{"whole, chunked", read(1 << 20), -1},
		{"closed", func(r *http.Request) { _ = r.Body.Close() }, int64(len(created))},
		{"as a form", func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			_ = r.FormValue("event")
		}, int64(len(created))},
		{"taken away", func(r *http.Request) { r.Body = nil }, int64(len(created))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var reported error
			verifier := newVerifier(t, webhookverify.WithErrorHandler(func(_ *http.Request, err error) { reported = err }))
			handler := verifier.Handler(func(context.Context, *webhookverify.Event) error { return nil })
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tt.before(r)
				handler.ServeHTTP(w, r)
			}))
			defer server.Close()
			req, err := http.NewRequest("POST", server.URL, strings.NewReader(created))
			require.NoError(t, err)
			req.ContentLength = tt.length
			req.Header.Set(webhookverify.SignatureHeader, sign(created))
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, http.StatusInternalServerError, resp.StatusCode)
			require.ErrorIs(t, reported, webhookverify.ErrBodyConsumed)
			assert.ErrorContains(t, reported, "ParseEvent")
		})
	}
}

// TestReadRequest_BodyReplaced sends a body with the Content-Length of another.
func TestReadRequest_BodyReplaced(t *testing.T) {
	for _, tt := range []struct {
		name, body, signature string
		want                  error
		says                  string
	}{
		{name: "by what was signed", body: created, signature: sign(created)},
		{name: "by something else", body: created, signature: sign(gzipped(t, created)), want: webhookverify.ErrSignatureMismatch, says: "decompressed or replaced on the way"},
		{name: "by nothing", body: "", signature: sign(created), want: webhookverify.ErrBodyConsumed},
		{name: "by its end", body: created[10:], signature: sign(created), want: webhookverify.ErrBodyConsumed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
			r.ContentLength = int64(len(created)) + 20 // of its gzip
			r.Header.Set(webhookverify.SignatureHeader, tt.signature)
			_, err := newVerifier(t).ReadRequest(r)
			require.ErrorIs(t, err, tt.want)
			if tt.says != "" {
				assert.ErrorContains(t, err, tt.says)
			}
		})
	}
}

func TestReadRequest_MaxBytesHandler(t *testing.T) {
	var reported error
	verifier := newVerifier(t, webhookverify.WithErrorHandler(func(_ *http.Request, err error) { reported = err }))
	handler := http.MaxBytesHandler(verifier.Handler(func(context.Context, *webhookverify.Event) error { return nil }), 20)
	for _, length := range []int64{int64(len(created)), -1} {
		r := signed(created)
		r.ContentLength = length
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		assert.Equal(t, http.StatusRequestEntityTooLarge, w.Code)
		assert.ErrorIs(t, reported, webhookverify.ErrBodyTooLarge)
	}
}
