package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

// TestMain runs one of the child programs if a test has started this binary as a
// child process.
func TestMain(m *testing.M) {
	for name, child := range map[string]func(context.Context) error{"CRASH_STEP": callAndCrash, "WORK_KEYS": runWorker} {
		if os.Getenv(name) != "" {
			if err := child(context.Background()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	os.Exit(m.Run())
}

// startChild starts this test binary as a child process with more environment
// variables.
func startChild(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// env returns the environment variables that a child needs to use the fixture.
func (w *world) env() []string {
	return []string{"WHOZEX_API_KEY=" + w.server.APIKey, "WHOZEX_BASE_URL=" + w.server.URL, "STORE=" + w.source, "USER_ID=" + w.user, "PACKAGE_ID=" + w.pkg}
}

// callAndCrash makes one call and kills its process at a step.
func callAndCrash(ctx context.Context) error {
	client, err := whozex.FromEnv(whozex.WithGrace(0))
	if err != nil {
		return err
	}
	store, err := idempotency.Open(ctx, os.Getenv("STORE"))
	if err != nil {
		return err
	}
	once := idempotency.New(client, store, idempotency.WithStepHook(func(step idempotency.Step) {
		if string(step) == os.Getenv("CRASH_STEP") {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}))
	calls := callsOf(ctx, os.Getenv("USER_ID"), os.Getenv("PACKAGE_ID"))
	_, err = calls[whozex.Operation(os.Getenv("CRASH_OPERATION"))](once, "order-1")
	return fmt.Errorf("the process was not killed: %w", err)
}

var steps = []idempotency.Step{idempotency.StepClaim, idempotency.StepClaimed, idempotency.StepEnded, idempotency.StepStored}

func TestOnce_ProcessKilledAtStep(t *testing.T) {
	for _, step := range steps {
		for op := range newWorld(t).calls() {
			t.Run(string(step)+"/"+string(op), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				child := startChild(t, append(w.env(), "CRASH_STEP="+string(step), "CRASH_OPERATION="+string(op))...)
				killed, ok := errors.AsType[*exec.ExitError](child.Wait())
				require.True(t, ok)
				require.Equal(t, syscall.SIGKILL, killed.Sys().(syscall.WaitStatus).Signal())

				call, once := w.calls()[op], w.open()
				if step == idempotency.StepClaimed || step == idempotency.StepEnded {
					_, err := call(once, "order-1")
					require.ErrorIs(t, err, idempotency.ErrInProgress, "the process counts as alive until its lease is over")
					expireLeases(t, once)
				}
				var lastErr error
				for range 3 {
					once = w.open()
					_, lastErr = call(once, "order-1")
				}
				w.checkAgainstServer(once, op, "order-1", lastErr)
			})
		}
	}
}

// A process is suspended for longer than its lease, and another process makes the
// call. The first process must not send when it continues.
func TestOnce_SuspendedProcessIsFenced(t *testing.T) {
	const lease = 100 * time.Millisecond
	for op := range newWorld(t).calls() {
		if op == whozex.OpCreateWebhook {
			continue // Reconcile cannot decide about webhooks, so no other process sends it
		}
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			call, other := w.calls()[op], w.open()
			suspended := false
			first := w.open(idempotency.WithLease(lease), idempotency.WithStepHook(func(step idempotency.Step) {
				if step != idempotency.StepClaimed || suspended {
					return
				}
				suspended = true
				start := time.Now()
				require.Eventually(t, func() bool {
					expireLeases(t, other) // a suspended process does not renew its lease
					_, err := call(other, "order-1")
					return err == nil
				}, 20*time.Second, time.Millisecond)
				require.Eventually(t, func() bool { return time.Since(start) > lease }, time.Minute, time.Millisecond)
			}))
			_, err := call(first, "order-1")
			require.ErrorIs(t, err, idempotency.ErrFenced)
			assert.Equal(t, 1, w.commits(op))
			again, err := call(first, "order-1")
			require.NoError(t, err)
			require.NotEmpty(t, again)
			assert.Equal(t, 1, w.requests(op))
		})
	}
}
