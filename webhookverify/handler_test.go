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

// inbox is a receiver over real HTTP, and what it was told.
type inbox struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	events   []string
	failures []error
}

func newInbox(t *testing.T, handle func(context.Context, *webhookverify.Event) error, opts ...webhookverify.Option) *inbox {
	t.Helper()
	in := &inbox{t: t}
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

// post sends a body and returns status, Retry-After and answer.
func (in *inbox) post(body string, signatures ...string) (*http.Response, string) {
	in.t.Helper()
	return in.send("POST", strings.NewReader(body), signatures...)
}

func (in *inbox) send(method string, body io.Reader, signatures ...string) (*http.Response, string) {
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

func TestHandlerAnswers(t *testing.T) {
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
		{"genuine", "POST", created, []string{sign(created)}, nil, 200, ""},
		{"genuine, previous secret", "POST", created, []string{webhookverify.Sign([]byte(created), old)}, nil, 200, ""},
		{"GET", "GET", "", []string{sign("")}, nil, 405, "not a POST"},
		{"PUT", "PUT", created, []string{sign(created)}, nil, 405, "not a POST"},
		{"no signature", "POST", created, nil, nil, 401, "no signature"},
		{"empty signature", "POST", created, []string{""}, nil, 401, "no signature"},
		{"forged", "POST", created, []string{sign("other")}, nil, 401, "mismatch"},
		{"malformed", "POST", created, []string{"sha256=zz"}, nil, 401, "71 bytes"},
		{"several signatures", "POST", created, []string{sign(created), sign(created)}, nil, 401, "several"},
		{"too large", "POST", long, []string{sign(long)}, nil, 413, "too large"},
		{"stale", "POST", stale, []string{sign(stale)}, nil, 400, "too old"},
		{"no event", "POST", "{}", []string{sign("{}")}, nil, 400, "no name"},
		{"handler fails", "POST", created, []string{sign(created)}, failing, 500, "the database has a secret"},
		{"handler panics", "POST", created, []string{sign(created)}, panicking, 500, "the database has a secret"},
		{"handler returns our own error", "POST", created, []string{sign(created)}, func(context.Context, *webhookverify.Event) error {
			return webhookverify.ErrSignatureMismatch
		}, 500, "mismatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := newInbox(t, tt.handle, webhookverify.WithPreviousSecret(old), webhookverify.WithMaxBodyBytes(1000),
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
			assert.Equal(t, http.StatusText(tt.status)+"\n", answer, "nothing but the status is told")
			require.Len(t, in.failures, 1)
			assert.ErrorContains(t, in.failures[0], tt.reported)
			assert.Equal(t, tt.status == 500, len(in.events) == 1)
		})
	}
}

func TestAPanicIsReportedWithItsStack(t *testing.T) {
	cause := errors.New("cause")
	in := newInbox(t, func(context.Context, *webhookverify.Event) error { panic(cause) })
	in.post(created, sign(created))
	require.Len(t, in.failures, 1)
	require.ErrorIs(t, in.failures[0], cause)
	var panicked *webhookverify.PanicError
	require.ErrorAs(t, in.failures[0], &panicked)
	assert.Contains(t, string(panicked.Stack), "TestAPanicIsReportedWithItsStack")
}

// untouched fails the test when it is read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestWhatCanBeRefusedUnreadIs(t *testing.T) {
	good := "sha256=" + strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		method string
		length int64
		header []string
		want   error
	}{
		"method":       {"PUT", 10, []string{good}, webhookverify.ErrMethod},
		"no header":    {"POST", 10, nil, webhookverify.ErrMissingSignature},
		"malformed":    {"POST", 10, []string{"sha256=x"}, webhookverify.ErrMalformedSignature},
		"several":      {"POST", 10, []string{good, good}, webhookverify.ErrMalformedSignature},
		"length":       {"POST", webhookverify.DefaultMaxBodyBytes + 1, []string{good}, webhookverify.ErrBodyTooLarge},
		"no header, 1": {"POST", 1 << 40, nil, webhookverify.ErrMissingSignature},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, "/", untouched{t})
			r.ContentLength = tt.length
			r.Header[webhookverify.SignatureHeader] = tt.header
			_, err := newVerifier(t).ReadRequest(r)
			assert.ErrorIs(t, err, tt.want)
		})
	}
}

// flood gives bytes without end, and counts those taken.
type flood struct{ n int }

func (f *flood) Read(p []byte) (int, error) {
	f.n += len(p)
	return len(p), nil
}

func TestABodyWithoutALengthIsBounded(t *testing.T) {
	v := newVerifier(t, webhookverify.WithMaxBodyBytes(1<<10))
	body := &flood{}
	r := httptest.NewRequest("POST", "/", body)
	r.Header.Set(webhookverify.SignatureHeader, sign(""))
	_, err := v.ReadRequest(r)
	require.ErrorIs(t, err, webhookverify.ErrBodyTooLarge)
	assert.LessOrEqual(t, body.n, 2<<10)

	in := newInbox(t, nil)
	resp, _ := in.send("POST", struct{ io.Reader }{strings.NewReader(created)}, sign(created))
	assert.Equal(t, 200, resp.StatusCode, "chunked")
	exact := newVerifier(t, webhookverify.WithMaxBodyBytes(int64(len(created))))
	whole := signed(created)
	whole.ContentLength = -1
	_, err = exact.ReadRequest(whole)
	assert.NoError(t, err, "just long enough")
}

func TestABodyCutShortIsNoEvent(t *testing.T) {
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

func TestALengthThatIsOnlyAnnouncedCostsLittleMemory(t *testing.T) {
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

// TestASlowBodyEndsByTheServersTimeOut shows what the package's page asks of
// the server.
func TestASlowBodyEndsByTheServersTimeOut(t *testing.T) {
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

func TestHandlerNeedsAFunction(t *testing.T) {
	assert.Panics(t, func() { newVerifier(t).Handler(nil) })
}
