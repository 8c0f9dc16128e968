package inbox_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/webhookverify"
)

// fill inserts n rows into the inbox. The last four arguments are SQL expressions for
// columns; i in them is the row's number, from 1 to n.
func fill(t *testing.T, store *idempotency.Store, n int, stream, state, blocked, due string) {
	t.Helper()
	db := store.Database()
	_, err := db.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO whozex_inbox (event_id, seq, stream, name, webhook, sent_at, body, state, blocked, due_at, received_at, updated_at)
		SELECT 'filled' || i, 1000 + i, %s, 'x', '', '', '{}', %s, %s, %s, 0, 0 FROM n`, n, stream, state, blocked, due))
	require.NoError(t, err)
	if db.Dialect == "postgres" {
		_, err = db.ExecContext(t.Context(), `SELECT setval('whozex_inbox_seq', $1)`, 1000+n)
		require.NoError(t, err)
	}
}

// TestRun_ManyWaitingEvents checks that waiting events do not slow down the claim of
// others.
func TestRun_ManyWaitingEvents(t *testing.T) {
	const many, others = 10_000, 20
	soon := fmt.Sprint(time.Now().Add(30 * time.Minute).UnixMilli())
	for _, tt := range []struct{ name, stream, blocked, due string }{
		{name: "after a failing event of one user", stream: "'bad'", blocked: "CASE i WHEN 1 THEN 0 ELSE 1 END", due: "CASE i WHEN 1 THEN " + soon + " ELSE 0 END"},
		{name: "in their back-off", stream: "'user' || i", blocked: "0", due: soon},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, source string) {
				in, store := open(t, source, inbox.WithLease(time.Hour))
				work := func(user string) time.Duration {
					done := make(chan struct{}, others)
					stop := run(t, in, func(context.Context, *webhookverify.Event) error {
						done <- struct{}{}
						return nil
					})
					defer stop()
					began := time.Now()
					for n := range others {
						require.NoError(t, in.Receive(t.Context(), eventOf(t, user, n)))
					}
					for range others {
						<-done
					}
					return time.Since(began)
				}
				alone := work("before")
				fill(t, store, many, tt.stream, "'waiting'", tt.blocked, tt.due)
				beside := work("after")
				t.Logf("%d events alone %s, beside %d that wait %s", others, alone.Round(time.Millisecond), many, beside.Round(time.Millisecond))
				assert.Less(t, beside, 5*alone+2*time.Second)
				assert.Equal(t, inbox.Counts{Waiting: many, Done: 2 * others}, counts(t, in))
			})
		})
	}
}

func TestCommit_HandlerContinues(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		const lease = 90 * time.Millisecond
		in, _ := open(t, source, inbox.WithLease(lease))
		require.NoError(t, in.Receive(t.Context(), eventOf(t, "u", 0)))
		cause := make(chan error, 1)
		run(t, in, func(ctx context.Context, _ *webhookverify.Event) error {
			if err := inbox.Commit(ctx, func(*sql.Tx) error { return nil }); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
			case <-time.After(3 * lease):
			}
			cause <- context.Cause(ctx)
			return nil
		})
		assert.NoError(t, <-cause)
	})
}

func TestCommit_Panic(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source)
		_, err := store.Database().ExecContext(t.Context(), effectsTable)
		require.NoError(t, err)
		event := eventOf(t, "u", 0)
		require.NoError(t, in.Receive(t.Context(), event))
		n := 0
		stop := run(t, in, func(ctx context.Context, event *webhookverify.Event) error {
			if n++; n > 1 {
				return effect(ctx, event)
			}
			return inbox.Commit(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
				_, err := tx.Exec(`INSERT INTO effects (event_id) VALUES ($1)`, event.ID)
				require.NoError(t, err)
				panic("oh")
			})
		})
		waitUntilIdle(t, in)
		stop()
		assert.Equal(t, 2, n)
		assert.Equal(t, map[string]int{event.ID: 1}, effects(t, store))
	})
}

func TestReceive_LongIDsAndStreams(t *testing.T) {
	long := ""
	for len(long) < 20_000 {
		long += rand.Text() // PostgreSQL would compress repetitions
	}
	onEach(t, func(t *testing.T, source string) {
		in, _ := open(t, source)
		var order []int
		for n := range 3 {
			event := eventOf(t, long, n)
			event.ID = fmt.Sprint(long, n)
			for range 2 {
				require.NoError(t, in.Receive(t.Context(), event))
			}
		}
		require.EqualValues(t, 3, counts(t, in).Waiting, "IDs that differ only at the end")
		stop := run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			var data struct{ N int }
			require.NoError(t, event.Decode(&data))
			order = append(order, data.N)
			return inbox.ErrPermanent
		})
		waitUntilIdle(t, in)
		stop()
		assert.Equal(t, []int{0, 1, 2}, order)
		require.NoError(t, in.Retry(t.Context(), fmt.Sprint(long, 1)))
		assert.Equal(t, inbox.Counts{Waiting: 1, Dead: 2}, counts(t, in))
	})
}

func TestReceive_NoBody(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, _ := open(t, source)
		require.NoError(t, in.Receive(t.Context(), &webhookverify.Event{ID: "by hand", Name: "x"}))
		names := make(chan string, 1)
		run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			names <- event.Name
			return nil
		})
		assert.Equal(t, "x", <-names)
	})
}

func TestPurge(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source)
		fill(t, store, 2500, "'user'", "CASE i % 5 WHEN 0 THEN 'dead' ELSE 'done' END", "0", "0")
		gone, err := in.Purge(t.Context(), time.Now())
		require.NoError(t, err)
		assert.EqualValues(t, 2000, gone)
		assert.Equal(t, inbox.Counts{Dead: 500}, counts(t, in))
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = in.Purge(cancelled, time.Now())
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestWithRetention(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source, inbox.WithRetention(time.Hour), inbox.WithLease(20*time.Millisecond))
		fill(t, store, 30, "''", "CASE i % 2 WHEN 0 THEN 'dead' ELSE 'done' END", "0", "0")
		recent := eventOf(t, "u", 0)
		require.NoError(t, in.Receive(t.Context(), recent))
		run(t, in, func(context.Context, *webhookverify.Event) error { return nil })
		require.Eventually(t, func() bool { return counts(t, in) == inbox.Counts{Done: 1, Dead: 15} }, time.Minute, 5*time.Millisecond)
		require.NoError(t, in.Receive(t.Context(), recent), "redelivered, skipped")
		assert.Equal(t, inbox.Counts{Done: 1, Dead: 15}, counts(t, in))
	})
}

func TestRun_ClockSetBack(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source, inbox.WithLease(50*time.Millisecond))
		for n := range 3 {
			require.NoError(t, in.Receive(t.Context(), eventOf(t, fmt.Sprint("user", n), n)))
		}
		// As if received and claimed while the clock was in the year 2100; one worker died.
		_, err := store.Database().ExecContext(t.Context(), `UPDATE whozex_inbox SET due_at = 4102444800000, updated_at = 4102444800000,
			state = CASE seq WHEN 2 THEN 'running' ELSE 'waiting' END`)
		require.NoError(t, err)
		run(t, in, func(context.Context, *webhookverify.Event) error { return nil })
		waitUntilIdle(t, in)
		assert.Equal(t, inbox.Counts{Done: 3}, counts(t, in))
	})
}

func TestRun_EventThatKillsWorkers(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source, inbox.WithAttempts(3))
		poison, next := eventOf(t, "u", 0), eventOf(t, "u", 1)
		require.NoError(t, in.Receive(t.Context(), poison))
		require.NoError(t, in.Receive(t.Context(), next))
		_, err := store.Database().ExecContext(t.Context(), `UPDATE whozex_inbox SET state = 'running', attempt = 3, claim = 'x', due_at = 0 WHERE event_id = $1`, poison.ID)
		require.NoError(t, err)
		var handled []string
		stop := run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			handled = append(handled, event.ID)
			return nil
		})
		waitUntilIdle(t, in)
		stop()
		assert.Equal(t, []string{next.ID}, handled)
		dead, err := in.Dead(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, dead, 1)
		assert.Contains(t, dead[0].Reason, "the worker died in each attempt")
	})
}

// TestReceive_RedeliveriesWhileHandling checks that Receive and workers do not
// deadlock on the same event.
func TestReceive_RedeliveriesWhileHandling(t *testing.T) {
	const events, senders = 40, 4
	onEach(t, func(t *testing.T, source string) {
		report := inbox.WithErrorHandler(func(_ *webhookverify.Event, err error) {
			if !errors.Is(err, errNotYet) {
				t.Error(err)
			}
		})
		in, store := open(t, source, report)
		other, _ := open(t, source, report)
		_, err := store.Database().ExecContext(t.Context(), effectsTable)
		require.NoError(t, err)
		handle := func(ctx context.Context, event *webhookverify.Event) error {
			if entry, _ := inbox.FromContext(ctx); entry.Attempts == 1 && event.ID[3] < '8' {
				return errNotYet
			}
			return effect(ctx, event)
		}
		run(t, in, handle)
		run(t, other, handle)
		var group sync.WaitGroup
		for range senders {
			group.Go(func() {
				for n := range events {
					event := eventOf(t, fmt.Sprint("user", n%2), n)
					for range 3 {
						assert.NoError(t, in.Receive(t.Context(), event))
					}
				}
			})
		}
		group.Wait()
		waitUntilIdle(t, in)
		did := effects(t, store)
		assert.Len(t, did, events)
		for id, n := range did {
			assert.Equal(t, 1, n, id)
		}
	})
}

var errNotYet = errors.New("not yet")
