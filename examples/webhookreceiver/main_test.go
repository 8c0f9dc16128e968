package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

// writerFunc is a stdout that does as it likes.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func serveTo(t *testing.T, stdout io.Writer, stderr io.Writer) string {
	t.Helper()
	handler, err := newHandler(secret, webhookverify.NewMemoryReplayStore(time.Hour, 10_000), &lines{to: stdout}, slog.New(slog.NewTextHandler(stderr, nil)))
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + path
}

func TestTheAnswerWaitsForTheLine(t *testing.T) {
	writing, written := make(chan struct{}), make(chan struct{})
	url := serveTo(t, writerFunc(func(p []byte) (int, error) {
		close(writing)
		<-written
		return len(p), nil
	}), io.Discard)
	answered := make(chan int, 1)
	go func() { answered <- post(t.Context(), http.DefaultClient, url, genuine(1)) }()
	<-writing
	select {
	case status := <-answered:
		t.Fatalf("answered %d before the line was written", status)
	default:
	}
	// The event is claimed, so the sender who comes again must wait too.
	assert.Equal(t, http.StatusServiceUnavailable, post(t.Context(), http.DefaultClient, url, genuine(1)))
	close(written)
	assert.Equal(t, http.StatusOK, <-answered)
}

func TestAnEventThatCannotBeWrittenIsNotAcknowledged(t *testing.T) {
	var stdout, stderr bytes.Buffer
	full := true
	url := serveTo(t, writerFunc(func(p []byte) (int, error) {
		if full {
			n, _ := stdout.Write(p[:10])
			return n, errors.New("no space left on device")
		}
		return stdout.Write(p)
	}), &stderr)
	d := genuine(1)
	assert.Equal(t, http.StatusInternalServerError, post(t.Context(), http.DefaultClient, url, d))
	full = false
	assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, url, d))
	assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, url, d))
	torn, rest, _ := strings.Cut(stdout.String(), "\n")
	assert.Len(t, torn, 10)
	assert.Equal(t, map[string]int{d.id: 1}, parse(t, rest))
	assert.Contains(t, stderr.String(), "no space left on device")
}

func TestTheBodyStaysOneLineAndWhole(t *testing.T) {
	var stdout bytes.Buffer
	body := "{\"event\":\"new.kind\",\r\n\"data\":{\"a\":\"<&>\\n\u2028\",\"n\":1.10e400},\n\"extra\":[1,\n2]}"
	d := delivery{body: body, signature: webhookverify.Sign([]byte(body), secret)}
	assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, serveTo(t, &stdout, io.Discard), d))
	assert.Equal(t, 1, strings.Count(stdout.String(), "\n"))
	assert.Contains(t, stdout.String(), "\"event\":\"new.kind\",\"body\":{\"event\":\"new.kind\",\"data\":{\"a\":\"<&>\\n\u2028\",\"n\":1.10e400},\"extra\":[1,2]}}\n")
}

func TestRefusalsAreLoggedWithoutSecretOrSignature(t *testing.T) {
	var stdout, stderr bytes.Buffer
	url := serveTo(t, &stdout, &stderr)
	for i := range 5 {
		d := forge(i, genuine(i))
		assert.Equal(t, http.StatusUnauthorized, post(t.Context(), http.DefaultClient, url, d))
		if hex := strings.TrimPrefix(strings.ToLower(d.signature), "sha256="); hex != "" {
			assert.NotContains(t, strings.ToLower(stderr.String()), hex)
		}
	}
	assert.Empty(t, stdout.String())
	assert.Equal(t, 5, strings.Count(stderr.String(), "delivery refused"), stderr.String())
	assert.NotContains(t, stderr.String(), secret)
}

func TestTheSandboxSendsOneEventOfEachKind(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-sandbox", "-addr", "127.0.0.1:0"}, &stdout, &stderr), stderr.String())
	assert.Len(t, parse(t, stdout.String()), 4)
	for _, name := range []string{"user.created", "balance.added", "package.created", "package.low_gb"} {
		assert.Equal(t, 1, strings.Count(stdout.String(), `,"event":"`+name+`","body"`), name)
	}
	assert.NotContains(t, stdout.String()+stderr.String(), "wxsec_")
}

func TestWhatMakesNoSenseIsTold(t *testing.T) {
	t.Setenv("WHOZEX_WEBHOOK_SECRET", "")
	for _, tt := range []struct {
		args []string
		code int
		told string
	}{
		{[]string{"-help"}, 0, "-sandbox"},
		{[]string{"-nothing"}, 2, "nothing"},
		{[]string{"left"}, 2, `"left"`},
		{nil, 1, "WHOZEX_WEBHOOK_SECRET"},
		{[]string{"-sandbox", "-addr", "nowhere"}, 1, "nowhere"},
		{[]string{"-sandbox", "-addr", "0.0.0.0:0"}, 1, "https"},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, tt.code, run(t.Context(), tt.args, &stdout, &stderr), tt.args)
		assert.Contains(t, stderr.String(), tt.told)
		assert.Empty(t, stdout.String())
	}
	t.Setenv("WHOZEX_WEBHOOK_SECRET", " wxsec_padded ")
	var stderr bytes.Buffer
	assert.Equal(t, 1, run(t.Context(), []string{"-addr", "127.0.0.1:0"}, io.Discard, &stderr))
	assert.Contains(t, stderr.String(), "whitespace")
	assert.NotContains(t, stderr.String(), "wxsec_padded")
}

func TestEveryTimeoutIsSet(t *testing.T) {
	server := newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	assert.Positive(t, server.ReadHeaderTimeout)
	assert.Positive(t, server.ReadTimeout)
	assert.Positive(t, server.WriteTimeout)
	assert.Positive(t, server.IdleTimeout)
	assert.Greater(t, shutdownTimeout, server.ReadTimeout)
}
