package webhookverify_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/whozex/whozex-go/webhookverify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver is an HTTP server with a [webhookverify.Handler] that records events and
// errors.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	events   []string
	failures []error
}

func newReceiver(t *testing.T, handle func(context.Context, *webhookverify.Event) error, opts ...webhookverify.Option) *receiver {
	t.Helper()
	in := &receiver{t: t}
	verifier := newVerifier(t, append(opts, webhookverify.WithErrorHandler(func(_ *http.Request, err error) {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.failures = append(in.failures, err)
	}))...)
	in.Server = httptest.NewUnstartedServer(verifier.Handler(func(ctx context.Context, event *webhookverify.Event) error {
		in.mu.Lock()
		in.events = append(in.events, event.Name)
		in.mu.Unlock()
		if handle == nil {
			return nil
		}
		return handle(ctx, event)
	}))
	in.Config.ErrorLog = quiet
	in.Start()
	t.Cleanup(in.Close)
	return in
}

// post sends a body and returns the response and its body.
func (in *receiver) post(body string, signatures ...string) (*http.Response, string) {
	in.t.Helper()
	return in.send("POST", strings.NewReader(body), signatures...)
}

func (in *receiver) send(method string, body io.Reader, signatures ...string) (*http.Response, string) {
	in.t.Helper()
	req, err := http.NewRequest(method, in.URL, body)
	require.NoError(in.t, err)
	req.Header[webhookverify.SignatureHeader] = signatures
	resp, err := in.Client().Do(req)
	require.NoError(in.t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(in.t, err)
	return resp, string(answer)
}

func sign(body string) string { return webhookverify.Sign([]byte(body), secret) }

func TestHandler(t *testing.T) {
	stale := `{"event":"x","timestamp":"2020-01-01T12:00:00Z"}`
	long := `{"event":"` + strings.Repeat("x", 2000) + `"}`
	failing := func(context.Context, *webhookverify.Event) error { return errors.New("the database has a secret") }
	panicking := func(context.Context, *webhookverify.Event) error { panic("the database has a secret") }
	now := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name       string
		method     string
		body       string
		signatures []string
		handle     func(context.Context, *webhookverify.Event) error
		status     int
		reported   string
	}{
		{name: "genuine", method: "POST", body: created, signatures: []string{sign(created)}, status: 200},
		{name: "genuine, previous secret", method: "POST", body: created, signatures: []string{webhookverify.Sign([]byte(created), old)}, status: 200},
		{name: "GET", method: "GET", signatures: []string{sign("")}, status: 405, reported: "not a POST"},
		{name: "PUT", method: "PUT", body: created, signatures: []string{sign(created)}, status: 405, reported: "not a POST"},
		{name: "no signature", method: "POST", body: created, status: 401, reported: "no signature"},
		{name: "empty signature", method: "POST", body: created, signatures: []string{""}, status: 401, reported: "no signature"},
		{name: "forged", method: "POST", body: created, signatures: []string{sign("other")}, status: 401, reported: "mismatch"},
		{name: "malformed", method: "POST", body: created, signatures: []string{"sha256=zz"}, status: 401, reported: "71 bytes"},
		{name: "several signatures", method: "POST", body: created, signatures: []string{sign(created), sign(created)}, status: 401, reported: "several"},
		{name: "too large", method: "POST", body: long, signatures: []string{sign(long)}, status: 413, reported: "too large"},
		{name: "stale", method: "POST", body: stale, signatures: []string{sign(stale)}, status: 400, reported: "too old"},
		{name: "no event", method: "POST", body: "{}", signatures: []string{sign("{}")}, status: 400, reported: "no event name"},
		{name: "handler fails", method: "POST", body: created, signatures: []string{sign(created)}, handle: failing, status: 500, reported: "the database has a secret"},
		{name: "handler panics", method: "POST", body: created, signatures: []string{sign(created)}, handle: panicking, status: 500, reported: "the database has a secret"},
		{name: "handler returns our own error", method: "POST", body: created, signatures: []string{sign(created)}, handle: func(context.Context, *webhookverify.Event) error {
			return webhookverify.ErrSignatureMismatch
		}, status: 500, reported: "mismatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := newReceiver(t, tt.handle, webhookverify.WithPreviousSecret(old), webhookverify.WithMaxBodyBytes(1000),
				webhookverify.WithMaxAge(time.Hour), webhookverify.WithClock(func() time.Time { return now }))
			resp, answer := in.send(tt.method, strings.NewReader(tt.body), tt.signatures...)
			assert.Equal(t, tt.status, resp.StatusCode)
			assert.Equal(t, tt.status == 405, resp.Header.Get("Allow") == "POST")
			if tt.status == 200 {
				assert.Empty(t, answer)
				assert.Empty(t, in.failures)
				assert.Equal(t, []string{"package.created"}, in.events)
				return
			}
			assert.Equal(t, http.StatusText(tt.status)+"\n", answer, "the response has only the status")
			require.Len(t, in.failures, 1)
			assert.ErrorContains(t, in.failures[0], tt.reported)
			assert.Equal(t, tt.status == 500, len(in.events) == 1)
		})
	}
}

func TestHandler_PanicStack(t *testing.T) {
	cause := errors.New("cause")
	in := newReceiver(t, func(context.Context, *webhookverify.Event) error { panic(cause) })
	in.post(created, sign(created))
	require.Len(t, in.failures, 1)
	require.ErrorIs(t, in.failures[0], cause)
	var panicked *webhookverify.PanicError
	require.ErrorAs(t, in.failures[0], &panicked)
	assert.Contains(t, string(panicked.Stack), "TestHandler_PanicStack")
}

// unreadable fails the test if something reads it.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestReadRequest_RefusedBeforeReading(t *testing.T) {
	good := "sha256=" + strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		method string
		length int64
		header []string
		want   error
	}{
		"method":       {method: "PUT", length: 10, header: []string{good}, want: webhookverify.ErrMethod},
		"no header":    {method: "POST", length: 10, want: webhookverify.ErrMissingSignature},
		"malformed":    {method: "POST", length: 10, header: []string{"sha256=x"}, want: webhookverify.ErrMalformedSignature},
		"several":      {method: "POST", length: 10, header: []string{good, good}, want: webhookverify.ErrMalformedSignature},
		"length":       {method: "POST", length: webhookverify.DefaultMaxBodyBytes + 1, header: []string{good}, want: webhookverify.ErrBodyTooLarge},
		"no header, 1": {method: "POST", length: 1 << 40, want: webhookverify.ErrMissingSignature},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", unreadable{t})
			r.ContentLength = tt.length
			r.Header[webhookverify.SignatureHeader] = tt.header
			_, err := newVerifier(t).ReadRequest(r)
			assert.ErrorIs(t, err, tt.want)
		})
	}
}

// flood is an endless body that counts the bytes read.
type flood struct{ n int }

func (f *flood) Read(p []byte) (int, error) {
	f.n += len(p)
	return len(p), nil
}

func TestReadRequest_ChunkedBodyIsBounded(t *testing.T) {
	v := newVerifier(t, webhookverify.WithMaxBodyBytes(1<<10))
	body := &flood{}
	r := httptest.NewRequest("POST", "/", body)
	r.Header.Set(webhookverify.SignatureHeader, sign(""))
	_, err := v.ReadRequest(r)
	require.ErrorIs(t, err, webhookverify.ErrBodyTooLarge)
	assert.LessOrEqual(t, body.n, 2<<10)

	in := newReceiver(t, nil)
	resp, _ := in.send("POST", struct{ io.Reader }{strings.NewReader(created)}, sign(created))
	assert.Equal(t, 200, resp.StatusCode, "chunked")
	exact := newVerifier(t, webhookverify.WithMaxBodyBytes(int64(len(created))))
	whole := signed(created)
	whole.ContentLength = -1
	_, err = exact.ReadRequest(whole)
	assert.NoError(t, err, "just long enough")
}

func TestHandler_BodyCutShort(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		r := signed(created)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(created[:20]), broken{}))
		if chunked {
			r.ContentLength = -1
		}
		_, err := newVerifier(t).ReadRequest(r)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
}

func TestReadRequest_DeclaredLengthAllocatesLittle(t *testing.T) {
	const times = 16
	v := newVerifier(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{"))
		r.ContentLength = webhookverify.DefaultMaxBodyBytes
		r.Header.Set(webhookverify.SignatureHeader, sign("{"))
		_, err := v.ReadRequest(r)
		require.ErrorIs(t, err, webhookverify.ErrMalformedEvent)
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, (after.TotalAlloc-before.TotalAlloc)/times, uint64(webhookverify.DefaultMaxBodyBytes/4))
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestHandler_SlowBody checks that ReadTimeout ends a slow body, as the package's
// documentation says.
func TestHandler_SlowBody(t *testing.T) {
	reported := make(chan error, 1)
	verifier := newVerifier(t, webhookverify.WithErrorHandler(func(_ *http.Request, err error) { reported <- err }))
	server := httptest.NewUnstartedServer(verifier.Handler(func(context.Context, *webhookverify.Event) error {
		t.Error("it was handled")
		return nil
	}))
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s: %s\r\n\r\n{", len(created), webhookverify.SignatureHeader, sign(created))
	require.NoError(t, err)
	var timeout net.Error
	require.ErrorAs(t, <-reported, &timeout)
	assert.True(t, timeout.Timeout())
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	assert.Equal(t, 400, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

func TestHandler_NilFunction(t *testing.T) {
	assert.Panics(t, func() { newVerifier(t).Handler(nil) })
}
