package webhookverify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

var quiet = log.New(io.Discard, "", 0)

func withMemoryStore() webhookverify.Option {
	return webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(time.Hour, 10_000))
}

func TestHandler_NoReplayStore(t *testing.T) {
	in := newReceiver(t, nil)
	in.post(created, sign(created))
	in.post(created, sign(created))
	assert.Len(t, in.events, 2)
}

func TestReplayStore_DuplicateIsSkipped(t *testing.T) {
	in := newReceiver(t, nil, withMemoryStore(), webhookverify.WithPreviousSecret(old))
	for _, signature := range []string{sign(created), sign(created), webhookverify.Sign([]byte(created), old)} {
		resp, _ := in.post(created, signature)
		assert.Equal(t, 200, resp.StatusCode)
	}
	assert.Len(t, in.events, 1)
	assert.Empty(t, in.failures)
	other := `{"event":"other"}`
	in.post(other, sign(other))
	assert.Len(t, in.events, 2)
}

func TestReplayStore_ForgedDuplicate(t *testing.T) {
	in := newReceiver(t, nil, withMemoryStore())
	in.post(created, sign(created))
	resp, _ := in.post(created, sign("other"))
	assert.Equal(t, 401, resp.StatusCode)
}

func TestReplayStore_RedeliveryAfterFailure(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no") },
		"panic": func() error { panic("no") },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			in := newReceiver(t, func(context.Context, *webhookverify.Event) error {
				if calls.Add(1) < 3 {
					return fail()
				}
				return nil
			}, withMemoryStore())
			for _, want := range []int{500, 500, 200, 200} {
				resp, _ := in.post(created, sign(created))
				assert.Equal(t, want, resp.StatusCode)
			}
			assert.EqualValues(t, 3, calls.Load())
		})
	}
	t.Run("aborted connection", func(t *testing.T) {
		var calls atomic.Int32
		in := newReceiver(t, func(context.Context, *webhookverify.Event) error {
			if calls.Add(1) == 1 {
				panic(http.ErrAbortHandler)
			}
			return nil
		}, withMemoryStore())
		req := signed(created)
		req.RequestURI = ""
		req.URL.Scheme, req.URL.Host = "http", in.Listener.Addr().String()
		_, err := in.Client().Do(req)
		require.Error(t, err, "net/http aborts the connection")
		resp, _ := in.post(created, sign(created))
		assert.Equal(t, 200, resp.StatusCode)
	})
}

func TestReplayStore_DuplicateInProgress(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	in := newReceiver(t, func(context.Context, *webhookverify.Event) error {
		entered <- true
		<-leave
		return nil
	}, withMemoryStore())
	var group sync.WaitGroup
	group.Go(func() {
		resp, _ := in.post(created, sign(created))
		assert.Equal(t, 200, resp.StatusCode)
	})
	<-entered
	resp, _ := in.post(created, sign(created))
	assert.Equal(t, 503, resp.StatusCode)
	assert.Equal(t, "1", resp.Header.Get("Retry-After"))
	close(leave)
	group.Wait()
	resp, _ = in.post(created, sign(created))
	assert.Equal(t, 200, resp.StatusCode)
	assert.Len(t, in.events, 1)
	assert.Empty(t, in.failures)
}

func TestReplayStore_SenderDisconnects(t *testing.T) {
	entered := make(chan bool, 2)
	in := newReceiver(t, func(ctx context.Context, _ *webhookverify.Event) error {
		entered <- true
		<-ctx.Done()
		return ctx.Err()
	}, withMemoryStore())
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			for {
				req, err := http.NewRequestWithContext(ctx, "POST", in.URL, strings.NewReader(created))
				assert.NoError(t, err)
				req.Header.Set(webhookverify.SignatureHeader, sign(created))
				resp, err := in.Client().Do(req)
				if err != nil {
					assert.ErrorIs(t, err, context.Canceled)
					return
				}
				// The claim of the previous delivery may still be held.
				_ = resp.Body.Close()
				assert.Equal(t, 503, resp.StatusCode)
			}
		})
		<-entered
		cancel()
		group.Wait()
	}
}

func TestReplayStore_Concurrent(t *testing.T) {
	const senders, events = 64, 100
	var mu sync.Mutex
	handled := map[string]int{}
	var failed sync.Map
	in := newReceiver(t, func(_ context.Context, event *webhookverify.Event) error {
		// A third of the events fails at first.
		if _, again := failed.LoadOrStore(event.Name, true); !again && event.Name[len(event.Name)-1]%3 == 0 {
			return errors.New("not yet")
		}
		mu.Lock()
		defer mu.Unlock()
		handled[event.Name]++
		return nil
	}, withMemoryStore())
	in.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = senders
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for i := range events {
				body := fmt.Sprintf(`{"event":"event.%d"}`, i)
				for {
					if resp, _ := in.post(body, sign(body)); resp.StatusCode == 200 {
						break
					}
				}
			}
		})
	}
	group.Wait()
	assert.Len(t, handled, events)
	for name, n := range handled {
		assert.Equal(t, 1, n, name)
	}
}

// faulty is a store that fails.
type faulty struct{ begin, commit, abort error }

func (f faulty) Begin(context.Context, string) error  { return f.begin }
func (f faulty) Commit(context.Context, string) error { return f.commit }
func (f faulty) Abort(context.Context, string) error  { return f.abort }

func TestReplayStore_Failures(t *testing.T) {
	down := errors.New("the store is down")
	t.Run("begin", func(t *testing.T) {
		in := newReceiver(t, nil, webhookverify.WithReplayStore(faulty{begin: down}))
		resp, answer := in.post(created, sign(created))
		assert.Equal(t, 503, resp.StatusCode)
		assert.NotContains(t, answer, "store")
		assert.Empty(t, in.events)
		require.Len(t, in.failures, 1)
		assert.ErrorIs(t, in.failures[0], down)
	})
	t.Run("commit", func(t *testing.T) {
		in := newReceiver(t, nil, webhookverify.WithReplayStore(faulty{commit: down}))
		resp, _ := in.post(created, sign(created))
		assert.Equal(t, 200, resp.StatusCode, "it was handled")
		require.Len(t, in.failures, 1)
		assert.ErrorIs(t, in.failures[0], down)
	})
	t.Run("abort", func(t *testing.T) {
		in := newReceiver(t, func(context.Context, *webhookverify.Event) error { return errors.New("no") }, webhookverify.WithReplayStore(faulty{abort: down}))
		resp, _ := in.post(created, sign(created))
		assert.Equal(t, 500, resp.StatusCode)
		require.Len(t, in.failures, 2)
		assert.ErrorIs(t, in.failures[0], down)
	})
}

func TestMemoryReplayStore(t *testing.T) {
	ctx := t.Context()
	handle := func(t *testing.T, s webhookverify.ReplayStore, id string) {
		t.Helper()
		require.NoError(t, s.Begin(ctx, id))
		require.NoError(t, s.Commit(ctx, id))
	}
	t.Run("expires", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := webhookverify.NewMemoryReplayStore(time.Hour, 10)
			handle(t, s, "a")
			time.Sleep(time.Hour - time.Second) // of a virtual clock
			handle(t, s, "b")
			assert.ErrorIs(t, s.Begin(ctx, "a"), webhookverify.ErrReplayed)
			time.Sleep(time.Second) // of a virtual clock
			assert.NoError(t, s.Begin(ctx, "a"))
			assert.ErrorIs(t, s.Begin(ctx, "b"), webhookverify.ErrReplayed)
		})
	})
	t.Run("evicts the oldest when full", func(t *testing.T) {
		s := webhookverify.NewMemoryReplayStore(time.Hour, 3)
		for _, id := range []string{"a", "b", "c", "d"} {
			handle(t, s, id)
		}
		assert.ErrorIs(t, s.Begin(ctx, "b"), webhookverify.ErrReplayed)
		assert.NoError(t, s.Begin(ctx, "a"))
	})
	t.Run("never evicts an event in progress", func(t *testing.T) {
		s := webhookverify.NewMemoryReplayStore(time.Hour, 2)
		require.NoError(t, s.Begin(ctx, "a"))
		handle(t, s, "b")
		require.NoError(t, s.Begin(ctx, "c"))
		assert.ErrorIs(t, s.Begin(ctx, "d"), webhookverify.ErrReplayStoreFull)
		assert.ErrorIs(t, s.Begin(ctx, "a"), webhookverify.ErrInProgress)
		require.NoError(t, s.Abort(ctx, "a"))
		assert.NoError(t, s.Begin(ctx, "d"))
	})
	t.Run("commits only what was begun", func(t *testing.T) {
		assert.Error(t, webhookverify.NewMemoryReplayStore(time.Hour, 2).Commit(ctx, "a"))
	})
	t.Run("invalid arguments", func(t *testing.T) {
		assert.Error(t, webhookverify.NewMemoryReplayStore(0, 0).Begin(ctx, "a"))
	})
}
