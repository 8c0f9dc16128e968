package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

func TestReceive_StoredOnceVerbatim(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, _ := open(t, source)
		want := map[string]*webhookverify.Event{}
		for _, body := range []string{
			`{"event":"package.created","data":{"user_id":"u"},"timestamp":"2025-01-01T12:00:00.123456789Z"}`,
			`{"event":"no.data"}`,
			`{"event":"null.data","data":null,"timestamp":"soon"}`,
			`{"event":"n\u0000ul","data":{"user_id":"\u0000"}}`,
			`{"event":"a list","data":[1,2]}`,
			"{\"event\":\"bad \xff text\",\"data\":{\"user_id\":\"\xff\"}}",
		} {
			event := verified(t, body)
			event.Webhook = "WH-1"
			want[event.ID] = event
			for range 3 {
				require.NoError(t, in.Receive(t.Context(), event), body)
			}
		}
		assert.EqualValues(t, len(want), counts(t, in).Waiting)
		var mu sync.Mutex
		got := map[string]*webhookverify.Event{}
		run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			mu.Lock()
			defer mu.Unlock()
			assert.Nil(t, got[event.ID], "handled twice")
			got[event.ID] = event
			return nil
		})
		waitUntilIdle(t, in)
		require.Len(t, got, len(want))
		for id, event := range want {
			event.Name = strings.ReplaceAll(event.Name, "\x00", "\ufffd")
			assert.True(t, event.Timestamp.Equal(got[id].Timestamp))
			got[id].Timestamp = event.Timestamp
			assert.Equal(t, event, got[id])
			require.NoError(t, in.Receive(t.Context(), event), "redelivered after it is done")
		}
		assert.Equal(t, inbox.Counts{Done: int64(len(want))}, counts(t, in))
	})
}

func TestReceive_NoID(t *testing.T) {
	in, _ := open(t, "sqlite::memory:")
	require.ErrorContains(t, in.Receive(t.Context(), &webhookverify.Event{Name: "x"}), "has no ID")
}

func TestReceive_Handler(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.db")
	in, _ := open(t, "sqlite:"+file)
	verifier, err := webhookverify.New(secret)
	require.NoError(t, err)
	handler := verifier.Handler(in.Receive)
	post := func(ctx context.Context, data any) int {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, whozextest.NewEventRequest(secret, whozex.EventUserCreated, data).WithContext(ctx))
		return w.Code
	}
	require.Equal(t, http.StatusOK, post(t.Context(), 1))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, http.StatusOK, post(gone, 2), "the sender has disconnected")
	assert.EqualValues(t, 2, counts(t, in).Waiting)
	require.NoError(t, os.Rename(file, file+".moved"))
	require.Equal(t, http.StatusInternalServerError, post(t.Context(), 3), "the file is missing")
}

func TestRun_OrderPerUser(t *testing.T) {
	const users, each = 5, 20
	onEach(t, func(t *testing.T, source string) {
		in, _ := open(t, source, inbox.WithWorkers(8))
		other, _ := open(t, source, inbox.WithWorkers(8))
		var mu sync.Mutex
		got, busy, failures := map[string][]string{}, map[string]bool{}, map[string]int{}
		handle := func(_ context.Context, event *webhookverify.Event) error {
			var data struct {
				UserID string `json:"user_id"`
				N      int    `json:"n"`
			}
			if err := event.Decode(&data); err != nil {
				return err
			}
			mu.Lock()
			assert.False(t, busy[data.UserID], "two events of a user at once")
			busy[data.UserID] = true
			mu.Unlock()
			time.Sleep(100 * time.Microsecond) // gives other workers time to overtake
			mu.Lock()
			defer mu.Unlock()
			busy[data.UserID] = false
			if failures[event.ID]++; data.N%7 == 3 && failures[event.ID] < 3 {
				return errors.New("not yet")
			}
			got[data.UserID] = append(got[data.UserID], fmt.Sprint(data.N))
			return nil
		}
		run(t, in, handle)
		run(t, other, handle)
		var senders sync.WaitGroup
		for user := range users {
			senders.Go(func() {
				for n := range each {
					assert.NoError(t, []*inbox.Inbox{in, other}[n%2].Receive(t.Context(), eventOf(t, fmt.Sprint("user", user), n)))
				}
			})
		}
		senders.Wait()
		waitUntilIdle(t, in)
		var want []string
		for n := range each {
			want = append(want, fmt.Sprint(n))
		}
		require.Len(t, got, users)
		for user, order := range got {
			assert.Equal(t, want, order, user)
		}
	})
}

func TestRun_FailingEventDelaysOnlyItsUser(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, _ := open(t, source, inbox.WithWorkers(2))
		var fail atomic.Bool
		fail.Store(true)
		var mu sync.Mutex
		var order []string
		run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			if fail.Load() && strings.Contains(string(event.Data), `"n":0`) {
				return errors.New("the database is unreachable")
			}
			mu.Lock()
			defer mu.Unlock()
			order = append(order, string(event.Data))
			return nil
		})
		for _, event := range []*webhookverify.Event{eventOf(t, "a", 0), eventOf(t, "a", 1), eventOf(t, "b", 2), verified(t, `{"event":"of no user"}`)} {
			require.NoError(t, in.Receive(t.Context(), event))
		}
		require.Eventually(t, func() bool { return counts(t, in).Done == 2 }, time.Minute, time.Millisecond)
		c := counts(t, in)
		assert.EqualValues(t, 2, c.Waiting+c.Running)
		fail.Store(false)
		waitUntilIdle(t, in)
		require.Len(t, order, 4)
		assert.Equal(t, []string{`{"user_id":"a","n":0}`, `{"user_id":"a","n":1}`}, order[2:])
	})
}

func TestRun_FinalStates(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		name     string
		handle   func(ctx context.Context, attempt int) error
		attempts int64
		state    inbox.State
		reason   string
	}{
		{name: "at once", state: inbox.Done, attempts: 1, handle: func(context.Context, int) error { return nil }},
		{name: "at the third attempt", state: inbox.Done, attempts: 3, handle: func(_ context.Context, n int) error {
			if n < 3 {
				return failed
			}
			return nil
		}},
		{name: "never", state: inbox.Dead, attempts: 3, reason: "failed", handle: func(context.Context, int) error { return failed }},
		{name: "by a permanent error", state: inbox.Dead, attempts: 1, reason: "no such user", handle: func(context.Context, int) error {
			return fmt.Errorf("no such user: %w", inbox.ErrPermanent)
		}},
		{name: "by a panic", state: inbox.Dead, attempts: 3, reason: "panic: oh", handle: func(context.Context, int) error { panic("oh") }},
		{name: "by its timeout", state: inbox.Dead, attempts: 3, reason: "deadline", handle: func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		{name: "with a long error", state: inbox.Dead, attempts: 3, reason: "éé…", handle: func(context.Context, int) error {
			return errors.New(strings.Repeat("é", 5000) + "\x00")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, source string) {
				var mu sync.Mutex
				var reported []error
				in, _ := open(t, source, inbox.WithAttempts(3), inbox.WithTimeout(20*time.Millisecond), inbox.WithErrorHandler(func(_ *webhookverify.Event, err error) {
					mu.Lock()
					defer mu.Unlock()
					reported = append(reported, err)
				}))
				event := eventOf(t, "u", 1)
				require.NoError(t, in.Receive(t.Context(), event))
				n := 0
				stop := run(t, in, func(ctx context.Context, _ *webhookverify.Event) error {
					n++
					return tt.handle(ctx, n)
				})
				waitUntilIdle(t, in)
				stop()
				assert.EqualValues(t, tt.attempts, n)
				dead, err := in.Dead(t.Context(), 10)
				require.NoError(t, err)
				if tt.state == inbox.Done {
					assert.Empty(t, dead)
					assert.Len(t, reported, n-1)
					return
				}
				require.Len(t, dead, 1)
				assert.Equal(t, event.ID, dead[0].Event.ID)
				assert.Equal(t, inbox.Dead, dead[0].State)
				assert.Equal(t, tt.attempts, dead[0].Attempts)
				assert.Contains(t, dead[0].Reason, tt.reason)
				assert.Less(t, len(dead[0].Reason), 1100)
				assert.WithinDuration(t, time.Now(), dead[0].ReceivedAt, time.Minute)
				assert.Len(t, reported, n)
			})
		})
	}
}

func TestRetry(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, _ := open(t, source)
		bad, good := eventOf(t, "u", 0), eventOf(t, "u", 1)
		require.ErrorIs(t, in.Retry(t.Context(), bad.ID), inbox.ErrNotDead, "unknown")
		require.NoError(t, in.Receive(t.Context(), bad))
		require.ErrorIs(t, in.Retry(t.Context(), bad.ID), inbox.ErrNotDead, "it is waiting")
		stop := run(t, in, func(context.Context, *webhookverify.Event) error { return inbox.ErrPermanent })
		waitUntilIdle(t, in)
		stop()
		require.NoError(t, in.Receive(t.Context(), bad), "redelivered: still dead")
		assert.Equal(t, inbox.Counts{Dead: 1}, counts(t, in))
		require.NoError(t, in.Receive(t.Context(), good))
		require.NoError(t, in.Retry(t.Context(), bad.ID))
		var order []string
		stop = run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			order = append(order, event.ID)
			return nil
		})
		waitUntilIdle(t, in)
		stop()
		assert.Equal(t, []string{good.ID, bad.ID}, order)

		gone, err := in.Purge(t.Context(), time.Now().Add(-time.Hour))
		require.NoError(t, err)
		assert.Zero(t, gone)
		gone, err = in.Purge(t.Context(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		assert.EqualValues(t, 2, gone)
		assert.Equal(t, inbox.Counts{}, counts(t, in))
	})
}

func TestCommit(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source)
		_, err := store.Database().ExecContext(t.Context(), `CREATE TABLE effects (id TEXT)`)
		require.NoError(t, err)
		require.NoError(t, in.Receive(t.Context(), eventOf(t, "u", 0)))
		effect := func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO effects VALUES ('x')`)
			return err
		}
		require.ErrorContains(t, inbox.Commit(t.Context(), effect), "in a handler of Run")
		n := 0
		stop := run(t, in, func(ctx context.Context, _ *webhookverify.Event) error {
			if n++; n == 1 {
				return inbox.Commit(ctx, func(tx *sql.Tx) error { return errors.Join(effect(tx), errors.New("rolled back")) })
			}
			require.NoError(t, inbox.Commit(ctx, effect))
			assert.Error(t, inbox.Commit(ctx, effect), "twice")
			return errors.New("ignored after Commit")
		})
		waitUntilIdle(t, in)
		stop()
		assert.Equal(t, 2, n)
		var effects int
		require.NoError(t, store.Database().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM effects`).Scan(&effects))
		assert.Equal(t, 1, effects)
	})
}

func TestCommit_LeaseLost(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		var reported atomic.Pointer[error]
		in, store := open(t, source, inbox.WithWorkers(1), inbox.WithLease(time.Hour), inbox.WithErrorHandler(func(_ *webhookverify.Event, err error) { reported.Store(&err) }))
		_, err := store.Database().ExecContext(t.Context(), `CREATE TABLE effects (worker TEXT)`)
		require.NoError(t, err)
		effect := func(worker string) func(*sql.Tx) error {
			return func(tx *sql.Tx) error {
				_, err := tx.Exec(`INSERT INTO effects VALUES ('` + worker + `')`)
				return err
			}
		}
		require.NoError(t, in.Receive(t.Context(), eventOf(t, "u", 0)))
		began, resume := make(chan struct{}), make(chan struct{})
		stop := run(t, in, func(ctx context.Context, _ *webhookverify.Event) error {
			close(began)
			<-resume
			return inbox.Commit(ctx, effect("slow"))
		})
		<-began
		_, err = store.Database().ExecContext(t.Context(), `UPDATE whozex_inbox SET due_at = 0`) // expires its lease
		require.NoError(t, err)
		other, _ := open(t, source)
		run(t, other, func(ctx context.Context, _ *webhookverify.Event) error { return inbox.Commit(ctx, effect("other")) })
		waitUntilIdle(t, other)
		close(resume)
		stop()
		require.ErrorIs(t, *reported.Load(), inbox.ErrLost)
		var worker string
		require.NoError(t, store.Database().QueryRowContext(t.Context(), `SELECT worker FROM effects`).Scan(&worker))
		assert.Equal(t, "other", worker)
		assert.Equal(t, inbox.Counts{Done: 1}, counts(t, in))
	})
}

// TestRun_LongHandlerKeepsLease checks that the lease of a handler is renewed until it
// returns, even beyond its timeout.
func TestRun_LongHandlerKeepsLease(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
	}{
		{name: "within its timeout", timeout: time.Hour},
		{name: "past its timeout", timeout: time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, source string) {
				in, store := open(t, source, inbox.WithWorkers(1), inbox.WithLease(300*time.Millisecond), inbox.WithTimeout(tt.timeout))
				require.NoError(t, in.Receive(t.Context(), eventOf(t, "u", 0)))
				began, resume := make(chan context.Context, 1), make(chan struct{})
				run(t, in, func(ctx context.Context, _ *webhookverify.Event) error {
					began <- ctx
					<-resume
					return nil
				})
				ctx := <-began
				if tt.timeout < time.Second {
					<-ctx.Done()
				}
				renewed := map[int64]bool{}
				assert.Eventually(t, func() bool {
					var due int64
					require.NoError(t, store.Database().QueryRowContext(t.Context(), `SELECT due_at FROM whozex_inbox`).Scan(&due))
					renewed[due] = true
					return len(renewed) > 4 // one for each third of a lease
				}, 30*time.Second, 20*time.Millisecond)
				close(resume)
				waitUntilIdle(t, in)
			})
		})
	}
}

func TestRun_LostClaimCancelsHandler(t *testing.T) {
	in, store := open(t, "sqlite:"+filepath.Join(t.TempDir(), "events.db"), inbox.WithLease(30*time.Millisecond), inbox.WithWorkers(1))
	require.NoError(t, in.Receive(t.Context(), eventOf(t, "u", 0)))
	began, cause := make(chan struct{}), make(chan error, 1)
	run(t, in, func(ctx context.Context, _ *webhookverify.Event) error {
		close(began)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil
	})
	<-began
	_, err := store.Database().ExecContext(t.Context(), `UPDATE whozex_inbox SET state = 'done', claim = ''`)
	require.NoError(t, err)
	require.ErrorIs(t, <-cause, inbox.ErrLost)
}

func TestRun_DatabaseFails(t *testing.T) {
	reported := make(chan error, 100)
	in, store := open(t, "sqlite:"+filepath.Join(t.TempDir(), "events.db"), inbox.WithWorkers(1), inbox.WithErrorHandler(func(event *webhookverify.Event, err error) {
		assert.Nil(t, event)
		reported <- err
	}))
	db := store.Database()
	_, err := db.ExecContext(t.Context(), `ALTER TABLE whozex_inbox RENAME TO away`)
	require.NoError(t, err)
	handled := make(chan string, 1)
	run(t, in, func(_ context.Context, event *webhookverify.Event) error {
		handled <- event.Name
		return nil
	})
	require.ErrorContains(t, <-reported, "claim an event")
	_, err = db.ExecContext(t.Context(), `ALTER TABLE away RENAME TO whozex_inbox`)
	require.NoError(t, err)
	require.NoError(t, in.Receive(t.Context(), eventOf(t, "u", 0)))
	assert.Equal(t, whozex.EventPackageCreated, <-handled)
}

func TestNew_InvalidOptions(t *testing.T) {
	_, store := open(t, "sqlite::memory:")
	for name, opt := range map[string]inbox.Option{
		"worker":             inbox.WithWorkers(0),
		"attempt":            inbox.WithAttempts(0),
		"back-off":           inbox.WithBackoff(time.Second, time.Millisecond),
		"timeout":            inbox.WithTimeout(0),
		"lease":              inbox.WithLease(time.Microsecond),
		"poll":               inbox.WithPoll(-1),
		"retention":          inbox.WithRetention(0),
		"stream function":    inbox.WithStream(nil),
		"handler is nil":     inbox.WithErrorHandler(nil),
		"step hook is nil":   inbox.WithStepHook(nil),
		"0s to 1s":           inbox.WithBackoff(0, time.Second),
		"at least 1ms, not ": inbox.WithLease(0),
	} {
		_, err := inbox.New(t.Context(), store, opt)
		assert.ErrorContains(t, err, name)
	}
	in, err := inbox.New(t.Context(), store)
	require.NoError(t, err)
	assert.Panics(t, func() { in.Run(t.Context(), nil) })
}
