package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
)

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// safeBuffer is a buffer that is safe for concurrent use.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// serveTo starts a receiver without workers; write starts the workers.
func serveTo(t *testing.T, source string, stdout, stderr io.Writer) (r *receiver, url string, write func()) {
	t.Helper()
	store, err := idempotency.Open(t.Context(), source)
	require.NoError(t, err)
	r, err = newReceiver(t.Context(), store, stdout, slog.New(slog.NewTextHandler(stderr, nil)))
	require.NoError(t, err)
	handler, err := r.handler(secret)
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	t.Cleanup(func() {
		stop()
		workers.Wait()
		server.Close()
		assert.NoError(t, store.Close())
	})
	return r, server.URL + path, func() { workers.Go(func() { r.inbox.Run(ctx, r.lines.write) }) }
}

func TestReceiver_RespondsBeforeWriting(t *testing.T) {
	var stdout safeBuffer
	r, url, write := serveTo(t, "sqlite::memory:", &stdout, io.Discard)
	for range 2 {
		assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, url, genuine(1)))
	}
	assert.Empty(t, stdout.String())
	write()
	require.NoError(t, r.waitUntilIdle(t.Context()))
	assert.Equal(t, map[string]int{genuine(1).id: 1}, parse(t, stdout.String()))
}

func TestReceiver_WriteFails(t *testing.T) {
	var stdout, stderr safeBuffer
	full := true
	r, url, write := serveTo(t, "sqlite::memory:", writerFunc(func(p []byte) (int, error) {
		if full {
			full = false
			n, _ := stdout.Write(p[:10])
			return n, errors.New("no space left on device")
		}
		return stdout.Write(p)
	}), &stderr)
	d := genuine(1)
	write()
	assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, url, d))
	require.NoError(t, r.waitUntilIdle(t.Context()))
	torn, rest, _ := strings.Cut(stdout.String(), "\n")
	assert.Len(t, torn, 10)
	assert.Equal(t, map[string]int{d.id: 1}, parse(t, rest))
	assert.Contains(t, stderr.String(), "no space left on device")
}

func TestReceiver_BodyOnOneLine(t *testing.T) {
	var stdout safeBuffer
	body := "{\"event\":\"new.kind\",\r\n\"data\":{\"a\":\"<&>\\n\u2028\",\"n\":1.10e400},\n\"extra\":[1,\n2]}"
	d := delivery{body: body, signature: webhookverify.Sign([]byte(body), secret)}
	r, url, write := serveTo(t, "sqlite::memory:", &stdout, io.Discard)
	write()
	assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, url, d))
	require.NoError(t, r.waitUntilIdle(t.Context()))
	assert.Equal(t, 1, strings.Count(stdout.String(), "\n"))
	assert.Contains(t, stdout.String(), "\"event\":\"new.kind\",\"body\":{\"event\":\"new.kind\",\"data\":{\"a\":\"<&>\\n\u2028\",\"n\":1.10e400},\"extra\":[1,2]}}\n")
}

func TestReceiver_Replicas(t *testing.T) {
	const deliveries, replicas = 200, 2
	onEach(t, func(t *testing.T, source string) {
		var written safeBuffer
		var senders sync.WaitGroup
		var receivers []*receiver
		for range replicas {
			r, url, write := serveTo(t, source, &written, io.Discard)
			receivers = append(receivers, r)
			write()
			senders.Go(func() {
				for i := range deliveries {
					assert.Equal(t, http.StatusOK, post(t.Context(), http.DefaultClient, url, genuine(i)))
				}
			})
		}
		senders.Wait()
		require.NoError(t, receivers[0].waitUntilIdle(t.Context()))
		got := parse(t, written.String())
		assert.Len(t, got, deliveries)
		for i := range deliveries {
			assert.Equal(t, 1, got[genuine(i).id], i)
		}
	})
}

func TestReceiver_LogsNoSecret(t *testing.T) {
	var stdout, stderr safeBuffer
	_, url, write := serveTo(t, "sqlite::memory:", &stdout, &stderr)
	write()
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

func TestRun_Sandbox(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-sandbox", "-addr", "127.0.0.1:0"}, &stdout, &stderr), stderr.String())
	assert.Len(t, parse(t, stdout.String()), 4)
	for _, name := range []string{"user.created", "balance.added", "package.created", "package.low_gb"} {
		assert.Equal(t, 1, strings.Count(stdout.String(), `,"event":"`+name+`","body"`), name)
	}
	assert.NotContains(t, stdout.String()+stderr.String(), "wxsec_")
}

func TestRun_DeadEvents(t *testing.T) {
	source := "sqlite:" + filepath.Join(t.TempDir(), "events.db")
	in := open(t, source)
	d := genuine(1)
	require.NoError(t, in.Receive(t.Context(), &webhookverify.Event{ID: d.id, Name: "package.created", Body: []byte(d.body)}))
	store, err := idempotency.Open(t.Context(), source)
	require.NoError(t, err)
	_, err = store.Database().ExecContext(t.Context(), `UPDATE whozex_inbox SET state = 'dead', reason = 'no space left'`)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-database", source, "-dead"}, &stdout, &stderr), stderr.String())
	assert.Equal(t, 1, strings.Count(stdout.String(), "\n"))
	assert.Contains(t, stdout.String(), d.id)
	assert.Contains(t, stdout.String(), "no space left")
	assert.Contains(t, stdout.String(), "PKG-000001")
	require.Equal(t, 0, run(t.Context(), []string{"-database", source, "-retry", d.id}, &stdout, &stderr), stderr.String())
	counts, err := in.Counts(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, counts.Waiting)
	require.Equal(t, 1, run(t.Context(), []string{"-database", source, "-retry", d.id}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "no dead event")
}

func TestRun_InvalidArguments(t *testing.T) {
	t.Setenv("WHOZEX_WEBHOOK_SECRET", "")
	database := []string{"-database", "sqlite::memory:"}
	for _, tt := range []struct {
		name     string
		args     []string
		code     int
		reported string
	}{
		{name: "help", args: []string{"-help"}, reported: "-sandbox"},
		{name: "an unknown flag", args: []string{"-nothing"}, code: 2, reported: "nothing"},
		{name: "an argument", args: []string{"left"}, code: 2, reported: `"left"`},
		{name: "no secret", args: database, code: 1, reported: "WHOZEX_WEBHOOK_SECRET"},
		{name: "no address", args: []string{"-sandbox", "-addr", "nowhere"}, code: 1, reported: "nowhere"},
		{name: "an address that is not loopback", args: []string{"-sandbox", "-addr", "0.0.0.0:0"}, code: 1, reported: "https"},
		{name: "no database", args: []string{"-database", "nowhere"}, code: 1, reported: "-database"},
		{name: "a password in a broken URL", args: []string{"-database", "postgres://app:hunter2/@localhost:x/db"}, code: 1, reported: "-database"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, tt.code, run(t.Context(), tt.args, &stdout, &stderr))
			assert.Contains(t, stderr.String(), tt.reported)
			assert.NotContains(t, stderr.String(), "hunter2")
			assert.Empty(t, stdout.String())
		})
	}
	t.Setenv("WHOZEX_WEBHOOK_SECRET", " wxsec_padded ")
	var stderr bytes.Buffer
	assert.Equal(t, 1, run(t.Context(), append(database, "-addr", "127.0.0.1:0"), io.Discard, &stderr))
	assert.Contains(t, stderr.String(), "whitespace")
	assert.NotContains(t, stderr.String(), "wxsec_padded")
}

func TestNewServer_Timeouts(t *testing.T) {
	server := newServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	assert.Positive(t, server.ReadHeaderTimeout)
	assert.Positive(t, server.ReadTimeout)
	assert.Positive(t, server.WriteTimeout)
	assert.Positive(t, server.IdleTimeout)
	assert.Greater(t, shutdownTimeout, server.ReadTimeout)
}
