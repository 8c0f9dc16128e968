package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/webhookverify"
)

const (
	events  = 6000
	senders = 64
)

// delivery is a request. id is the id of the line for a genuine one.
type delivery struct {
	id, body, signature string
	forged              bool
}

func genuine(i int) delivery {
	body := fmt.Sprintf("{\"event\":\"package.created\",\n\t\"data\":{\"package_id\":\"PKG-%06X\",\"gb\":20,\"cost\":18.00},\"timestamp\":\"2026-01-02T03:04:05Z\"}", i)
	return delivery{id: fmt.Sprintf("v2:%x", sha256.Sum256([]byte(body))), body: body, signature: webhookverify.Sign([]byte(body), secret)}
}

// forge returns a forged form of a genuine delivery.
func forge(i int, d delivery) delivery {
	d.forged = true
	switch i % 5 {
	case 0:
		d.signature = ""
	case 1:
		d.signature = webhookverify.Sign([]byte(d.body), secret+"x")
	case 2:
		d.body = strings.Replace(d.body, "18.00", "0.01 ", 1)
	case 3:
		d.signature = strings.ToUpper(d.signature)
	case 4:
		d.signature = genuine(events + i).signature
	}
	return d
}

// load returns all genuine deliveries, a tenth of them twice, and a tenth as many forged
// ones, in random order.
func load() []delivery {
	var all []delivery
	for i := range events {
		d := genuine(i)
		all = append(all, d)
		switch i % 10 {
		case 3:
			all = append(all, d)
		case 7:
			all = append(all, forge(i/10, d))
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// post returns the status, or 0 without a response.
func post(ctx context.Context, client *http.Client, url string, d delivery) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(d.body))
	if err != nil {
		return 0
	}
	if d.signature != "" {
		req.Header.Set(webhookverify.SignatureHeader, d.signature)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// send posts all deliveries over many connections. It returns the ids that got a 200, and
// the genuine deliveries that got no response. It calls onAccept with the number of 200s.
func send(t *testing.T, url string, all []delivery, onAccept func(int64)) (accepted map[string]bool, unacknowledged []delivery) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		count atomic.Int64
		queue = make(chan delivery)
	)
	accepted = map[string]bool{}
	for i := range senders {
		group.Go(func() {
			transport := &http.Transport{DisableKeepAlives: i%4 == 0}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for d := range queue {
				status := post(ctx, client, url, d)
				for status == http.StatusServiceUnavailable {
					status = post(ctx, client, url, d) // the same event is being handled
				}
				switch {
				case d.forged && status != 0:
					assert.Equal(t, http.StatusUnauthorized, status)
				case d.forged:
				case status == 0:
					mu.Lock()
					unacknowledged = append(unacknowledged, d)
					mu.Unlock()
				default:
					assert.Equal(t, http.StatusOK, status)
					mu.Lock()
					accepted[d.id] = true
					mu.Unlock()
					onAccept(count.Add(1))
				}
			}
		})
	}
	for _, d := range all {
		queue <- d
	}
	close(queue)
	group.Wait()
	return accepted, unacknowledged
}

func TestReceiver_Load(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		p := start(t, source)
		began := time.Now()
		accepted, unacknowledged := send(t, p.url, load(), func(int64) {})
		acknowledged := time.Since(began)
		assert.Empty(t, unacknowledged)
		assert.Len(t, accepted, events)
		assert.Equal(t, inbox.Counts{Done: events}, waitUntilIdle(t, open(t, source)))
		t.Logf("%d events acknowledged after %s, written after %s", events, acknowledged.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		p.waitForExit()
		want := map[string]int{}
		for i := range events {
			want[genuine(i).id] = 1
		}
		assert.Equal(t, want, p.written())
	})
}

// TestReceiver_SIGTERM sends the deliveries without a response to a second process. They
// may have been received, since a request may be on a connection when the server closes
// it. Both processes together must write each event once.
func TestReceiver_SIGTERM(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		first := start(t, source)
		accepted, unacknowledged := send(t, first.url, load(), func(n int64) {
			if n == events/4 {
				assert.NoError(t, first.cmd.Process.Signal(syscall.SIGTERM))
			}
		})
		first.waitForExit()
		require.GreaterOrEqual(t, len(accepted), events/5)
		require.NotEmpty(t, unacknowledged, "the signal came too late to prove anything")

		second := start(t, source)
		_, missing := send(t, second.url, unacknowledged, func(int64) {})
		require.Empty(t, missing)
		assert.Equal(t, inbox.Counts{Done: events}, waitUntilIdle(t, open(t, source)))
		require.NoError(t, second.cmd.Process.Signal(syscall.SIGTERM))
		second.waitForExit()
		before, after := first.written(), second.written()
		for i := range events {
			id := genuine(i).id
			require.Equal(t, 1, before[id]+after[id])
		}
		assert.Equal(t, events, len(before)+len(after), "a forged event was written")
		t.Logf("%d acknowledged by the first process; it wrote %d, the second %d", len(accepted), len(before), len(after))
	})
}

// TestReceiver_Killed checks that each event is done once in the inbox. Only lines that
// were written and not yet marked as done can be written twice, at most one per worker.
func TestReceiver_Killed(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		first := start(t, source)
		accepted, unacknowledged := send(t, first.url, load(), func(n int64) {
			if n == events/4 {
				assert.NoError(t, first.cmd.Process.Kill())
			}
		})
		first.read.Wait()
		require.Error(t, first.cmd.Wait())
		require.NotEmpty(t, unacknowledged)

		second := start(t, source)
		// Acknowledged deliveries are not redelivered.
		unacknowledged = slices.DeleteFunc(unacknowledged, func(d delivery) bool { return accepted[d.id] })
		_, missing := send(t, second.url, unacknowledged, func(int64) {})
		require.Empty(t, missing)
		assert.Equal(t, inbox.Counts{Done: events}, waitUntilIdle(t, open(t, source)))
		require.NoError(t, second.cmd.Process.Signal(syscall.SIGTERM))
		second.waitForExit()
		before, after, twice := first.written(), second.written(), 0
		for i := range events {
			id := genuine(i).id
			n := before[id] + after[id]
			require.GreaterOrEqual(t, n, 1, "lost")
			twice += n - 1
		}
		assert.LessOrEqual(t, twice, inbox.DefaultWorkers)
		assert.Equal(t, events+twice, len(before)+len(after), "a forged event was written")
		t.Logf("%d acknowledged before the kill; %d lines before and %d after it, %d of them twice", len(accepted), len(before), len(after), twice)
	})
}

func TestReceiver_SIGTERMDuringDelivery(t *testing.T) {
	source := "sqlite:" + filepath.Join(t.TempDir(), "events.db")
	p := start(t, source)
	address := strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), path)
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(testTimeout)))
	d := genuine(1)
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nExpect: 100-continue\r\n%s: %s\r\n\r\n",
		path, len(d.body), webhookverify.SignatureHeader, d.signature)
	require.NoError(t, err)
	// The server requests the body, so the delivery is in progress.
	response := bufio.NewReader(conn)
	resp, err := http.ReadResponse(response, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusContinue, resp.StatusCode)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool {
		other, err := net.Dial("tcp", address)
		if err != nil {
			return true
		}
		_ = other.Close()
		return false
	}, testTimeout, 5*time.Millisecond, "still listening")

	_, err = io.Copy(conn, bytes.NewBufferString(d.body))
	require.NoError(t, err)
	resp, err = http.ReadResponse(response, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	p.waitForExit()
	counts, err := open(t, source).Counts(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, counts.Waiting+counts.Done, "waiting for the next start, if the workers had stopped")
}
