package redisguard_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/webhookverify"
)

const (
	webhookSecret = "whsec_test"
	lease         = 3 * time.Second
)

// receiveEvents runs a webhook receiver that appends each handled event to a file
// shared by all receivers. With FREEZE set, it blocks after that many events,
// between Begin and the event's effect. A store can recover from a crash there, but
// not from a crash between the effect and Commit.
func receiveEvents() error {
	store, err := redisguard.NewReplayStore(redisFromEnv(), redisguard.WithLease(lease))
	if err != nil {
		return err
	}
	verifier, err := webhookverify.New(webhookSecret, webhookverify.WithReplayStore(store))
	if err != nil {
		return err
	}
	effects, err := os.OpenFile(setting("FILE"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	freezeAfter, _ := strconv.ParseInt(setting("FREEZE"), 10, 64)
	var handled, frozen, active atomic.Int64
	handler := verifier.Handler(func(_ context.Context, event *webhookverify.Event) error {
		if n := handled.Add(1); freezeAfter > 0 && n > freezeAfter {
			frozen.Add(1)
			select {}
		}
		_, err := fmt.Fprintf(effects, "%s\n", event.Data)
		return err
	})
	if freezeAfter > 0 {
		go func() {
			// All other handlers have returned, so their events are committed.
			for n := frozen.Load(); n < 2 || n != active.Load(); n = frozen.Load() {
				time.Sleep(5 * time.Millisecond) // until the condition holds
			}
			fmt.Println("frozen", frozen.Load())
		}()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("listening", listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		active.Add(1)
		defer active.Add(-1)
		handler.ServeHTTP(w, r)
	}))
}

func TestReplayStore_EachEventHandledOnce(t *testing.T) {
	t.Parallel()
	const events, copies, senders = 1000, 2, 16
	// Redis must keep what it has confirmed when it is killed below.
	r := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	file := filepath.Join(t.TempDir(), "effects")
	var receivers []*process
	var urls []string
	for n := range 4 {
		settings := map[string]string{"FILE": file}
		if n == 0 {
			settings["FREEZE"] = "120"
		}
		p := spawn(t, r, "receiver", settings)
		receivers = append(receivers, p)
		urls = append(urls, "http://"+p.expectLine("listening")+"/")
	}

	var deliveries []int
	for range copies {
		for n := range events {
			deliveries = append(deliveries, n)
		}
	}
	rand.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	ctx := contextWithTimeout(t, 50*time.Second)
	queue := make(chan int)
	var group sync.WaitGroup
	var accepted, attempts atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	for range senders {
		group.Go(func() {
			for n := range queue {
				body := fmt.Sprintf(`{"event":"user.created","timestamp":"2026-01-02T03:04:05Z","data":%d}`, n)
				for to := rand.IntN(len(urls)); ; to++ {
					attempts.Add(1)
					if deliver(ctx, client, urls[to%len(urls)], body) {
						accepted.Add(1)
						break
					}
					select {
					case <-time.After(20 * time.Millisecond):
					case <-ctx.Done():
						return
					}
				}
			}
		})
	}
	var frozenEvents string
	group.Go(func() {
		frozenEvents = receivers[0].expectLine("frozen")
		receivers[0].kill()
	})
	group.Go(func() {
		defer close(queue)
		for i, n := range deliveries {
			select {
			case queue <- n:
			case <-ctx.Done():
				return
			}
			if i == len(deliveries)*3/4 {
				// Kill Redis too.
				r.kill()
				time.Sleep(200 * time.Millisecond) // Redis is away for a while
				r.restart()
			}
		}
	})
	group.Wait()

	require.EqualValues(t, events*copies, accepted.Load())
	t.Logf("%d deliveries took %d attempts; the killed receiver was handling %s events", events*copies, attempts.Load(), frozenEvents)
	written, err := os.ReadFile(file)
	require.NoError(t, err)
	times := map[string]int{}
	for line := range strings.Lines(string(written)) {
		times[strings.TrimSpace(line)]++
	}
	assert.Len(t, times, events)
	maps.DeleteFunc(times, func(_ string, n int) bool { return n == 1 })
	assert.Empty(t, times, "handled more than once")
}

// deliver reports whether the event was accepted.
func deliver(ctx context.Context, client *http.Client, url, body string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set(webhookverify.SignatureHeader, webhookverify.Sign([]byte(body), webhookSecret))
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode == http.StatusOK
}
