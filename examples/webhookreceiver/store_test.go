package main

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startRedis starts a server on a free port of loopback.
func startRedis(t *testing.T) (url string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
	return "redis://" + addr
}

func TestReplicasWithOneRedisWriteEachEventOnce(t *testing.T) {
	const events, replicas = 200, 2
	redis := startRedis(t)
	var mu sync.Mutex
	var written bytes.Buffer
	urls := make([]string, replicas)
	for i := range urls {
		store, end, err := newStore(redis)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, end()) })
		out := writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return written.Write(p)
		})
		handler, err := newHandler(secret, store, &lines{to: out}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		require.NoError(t, err)
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		urls[i] = server.URL + path
	}
	var senders sync.WaitGroup
	for _, url := range urls {
		senders.Go(func() {
			for i := range events {
				// The other replica may be at it: then the sender comes again.
				for post(t.Context(), http.DefaultClient, url, genuine(i)) != http.StatusOK {
				}
			}
		})
	}
	senders.Wait()
	assert.Equal(t, events, strings.Count(written.String(), "\n"))
	for i := range events {
		assert.Equal(t, 1, strings.Count(written.String(), genuine(i).id), i)
	}
}

func TestARedisThatIsNotThereRefusesTheEvent(t *testing.T) {
	store, end, err := newStore("redis://127.0.0.1:1")
	require.NoError(t, err)
	defer func() { assert.NoError(t, end()) }()
	var stdout bytes.Buffer
	handler, err := newHandler(secret, store, &lines{to: &stdout}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	assert.Equal(t, http.StatusServiceUnavailable, post(t.Context(), http.DefaultClient, server.URL+path, genuine(1)))
	assert.Empty(t, stdout.String())
	_, _, err = newStore("http://127.0.0.1")
	assert.ErrorContains(t, err, "-redis")
}
