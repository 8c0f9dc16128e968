package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/webhookverify"
)

// effectsTable has no key, so that an effect that happens twice is in it twice.
const effectsTable = `CREATE TABLE effects (event_id TEXT, stream TEXT, n BIGINT, seq BIGINT)`

// effect is a handler that writes to the store.
func effect(ctx context.Context, event *webhookverify.Event) error {
	var data struct {
		UserID string `json:"user_id"`
		N      int64  `json:"n"`
	}
	if err := event.Decode(&data); err != nil {
		return err
	}
	return inbox.Commit(ctx, func(tx *sql.Tx) error {
		// Both databases accept $1.
		_, err := tx.ExecContext(ctx, `INSERT INTO effects SELECT $1, $2, $3, (SELECT COUNT(*) FROM effects WHERE stream = $2)`,
			event.ID, data.UserID, data.N)
		return err
	})
}

// runChild is the main function of a child process: it receives the event of its
// environment, if there is one, and runs workers. It kills itself when it reaches a step
// for the n-th time.
func runChild() {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	store, err := idempotency.Open(ctx, os.Getenv("INBOX_SOURCE"))
	fail(err)
	nth, _ := strconv.Atoi(os.Getenv("INBOX_NTH"))
	var mu sync.Mutex
	in, err := inbox.New(ctx, store, inbox.WithPoll(5*time.Millisecond), inbox.WithLease(300*time.Millisecond), inbox.WithAttempts(1000),
		inbox.WithErrorHandler(func(_ *webhookverify.Event, err error) { fmt.Fprintln(os.Stderr, err) }),
		inbox.WithStepHook(func(step inbox.Step) {
			mu.Lock()
			defer mu.Unlock()
			if string(step) != os.Getenv("INBOX_STEP") {
				return
			}
			if nth--; nth == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}))
	fail(err)
	if body := os.Getenv("INBOX_EVENT"); body != "" {
		verifier, err := webhookverify.New(secret)
		fail(err)
		event, err := verifier.ParseEvent([]byte(body), webhookverify.Sign([]byte(body), secret))
		fail(err)
		fail(in.Receive(ctx, event))
	}
	in.Run(ctx, effect)
}

func spawn(t *testing.T, source string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "INBOX_SOURCE="+source), env...)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// effects returns how often each event took effect.
func effects(t *testing.T, store *idempotency.Store) map[string]int {
	t.Helper()
	done := map[string]int{}
	rows, err := store.Database().QueryContext(t.Context(), `SELECT event_id FROM effects`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		done[id]++
	}
	require.NoError(t, rows.Err())
	return done
}

func TestInbox_ProcessKilledAtStep(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source)
		_, err := store.Database().ExecContext(t.Context(), effectsTable)
		require.NoError(t, err)
		for n, step := range []inbox.Step{inbox.StepReceive, inbox.StepStored, inbox.StepClaimed, inbox.StepMark, inbox.StepDone, inbox.StepHandled} {
			t.Run(string(step), func(t *testing.T) {
				event := eventOf(t, fmt.Sprint("user", n), n)
				victim := spawn(t, source, "INBOX_EVENT="+string(event.Body), "INBOX_STEP="+string(step), "INBOX_NTH=1")
				err := victim.Wait()
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit)
				require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal())
				// Only an event that was not committed must be redelivered.
				if step == inbox.StepReceive {
					require.NoError(t, in.Receive(t.Context(), event))
				}
				other := spawn(t, source)
				waitUntilIdle(t, in)
				require.NoError(t, other.Process.Kill())
				assert.Equal(t, 1, effects(t, store)[event.ID])
			})
		}
	})
}

// TestRun_WorkersKilledAtRandom kills and restarts four worker processes at random
// steps, while events arrive, some of them twice.
func TestRun_WorkersKilledAtRandom(t *testing.T) {
	const events, users, workers = 400, 20, 4
	onEach(t, func(t *testing.T, source string) {
		in, store := open(t, source)
		_, err := store.Database().ExecContext(t.Context(), effectsTable)
		require.NoError(t, err)
		steps := []inbox.Step{inbox.StepClaimed, inbox.StepMark, inbox.StepDone, inbox.StepHandled}
		done := make(chan struct{})
		var group sync.WaitGroup
		var mu sync.Mutex
		killed := 0
		for range workers {
			group.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					victim := spawn(t, source, "INBOX_STEP="+string(steps[rand.IntN(len(steps))]), fmt.Sprint("INBOX_NTH=", 5+rand.IntN(30)))
					ended := make(chan struct{})
					go func() {
						defer close(ended)
						_ = victim.Wait()
					}()
					select {
					case <-ended:
						mu.Lock()
						killed++
						mu.Unlock()
					case <-done:
						_ = victim.Process.Kill()
						<-ended
						return
					}
				}
			})
		}
		var senders sync.WaitGroup
		for user := range users {
			senders.Go(func() {
				for n := range events / users {
					event := eventOf(t, fmt.Sprint("user", user), n)
					for range 1 + n%2 {
						assert.NoError(t, in.Receive(t.Context(), event))
					}
				}
			})
		}
		senders.Wait()
		waitUntilIdle(t, in)
		close(done)
		group.Wait()
		did := effects(t, store)
		assert.Len(t, did, events)
		for id, n := range did {
			assert.Equal(t, 1, n, id)
		}
		var inOrder int
		require.NoError(t, store.Database().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM effects WHERE n = seq`).Scan(&inOrder))
		assert.Equal(t, events, inOrder, "in order for each user")
		t.Logf("%d events by workers that were killed %d times: %d effects, %d in order", events, killed, len(did), inOrder)
		assert.Positive(t, killed)
	})
}
