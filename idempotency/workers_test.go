package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

const (
	workers  = 4
	workKeys = 1000
	// workGrace and workLease are short to keep the test short.
	workGrace = 2 * time.Second
	workLease = time.Second
)

func workKey(k int) string { return fmt.Sprintf("work-%d", k) }

// workCall makes the call of the k-th key.
func workCall(ctx context.Context, once *idempotency.Once, k int, users []string) error {
	var err error
	switch user := users[k%len(users)]; k % 20 {
	case 0: // a different user for each purchase
		_, err = once.PurchasePackage(ctx, workKey(k), users[k/20], whozex.PurchasePackageParams{GB: 1})
	case 1:
		_, err = once.AddGB(ctx, workKey(k), os.Getenv("PACKAGE_ID"), whozex.AddGBParams{GB: 1})
	case 2:
		_, err = once.DeductBalance(ctx, workKey(k), user, dec("0.01"), "")
	case 3:
		_, err = once.CreateUser(ctx, workKey(k), whozex.CreateUserParams{Email: workKey(k) + "@example.com"})
	default:
		_, err = once.AddBalance(ctx, workKey(k), user, dec("0.01"), "")
	}
	return err
}

// runWorker makes the calls of half of the keys. Another worker makes the same calls.
func runWorker(ctx context.Context) error {
	worker, err := strconv.Atoi(os.Getenv("WORKER"))
	if err != nil {
		return err
	}
	client, err := whozex.FromEnv(whozex.WithGrace(workGrace), whozex.WithTimeout(workGrace))
	if err != nil {
		return err
	}
	store, err := idempotency.Open(ctx, os.Getenv("STORE"))
	if err != nil {
		return err
	}
	defer store.Close()
	var mu sync.Mutex
	claimed := 0
	once := idempotency.New(client, store, idempotency.WithLease(workLease), idempotency.WithStepHook(func(step idempotency.Step) {
		mu.Lock()
		defer mu.Unlock()
		if step != idempotency.StepClaimed {
			return
		}
		if claimed++; claimed == 50 {
			switch os.Getenv("WORKER_FATE") {
			case "killed":
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			case "suspended":
				last := time.Now()
				_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
				for now := last; now.Sub(last) < workLease; now = time.Now() { // SIGSTOP may take effect with a delay
					last = now
					time.Sleep(time.Millisecond) // until the process is stopped
				}
			}
		}
	}))
	users := strings.Fields(os.Getenv("WORK_KEYS"))
	var keys []int
	for k := range workKeys {
		if k%workers == worker || (k+2)%workers == worker {
			keys = append(keys, k)
		}
	}
	fenced := 0
	for start := time.Now(); len(keys) > 0; {
		var retry []int
		for _, k := range keys {
			err := workCall(ctx, once, k, users)
			indeterminate, ok := errors.AsType[*idempotency.IndeterminateError](err)
			if errors.Is(err, idempotency.ErrFenced) {
				fenced++
			}
			switch {
			case err == nil, errors.Is(err, idempotency.ErrResultLost):
			case ok && indeterminate.Record.NotBefore.IsZero() && indeterminate.Record.Operation == whozex.OpPurchasePackage:
				// only a person can decide
			case time.Since(start) > 2*time.Minute:
				return err
			default:
				retry = append(retry, k)
			}
		}
		keys = retry
		time.Sleep(20 * time.Millisecond) // the other worker is making some of these calls
	}
	return os.WriteFile(os.Getenv("WORKER_REPORT"), []byte(strconv.Itoa(fenced)), 0o600)
}

func TestOnce_ManyProcessesOnPostgres(t *testing.T) {
	p := startPostgres(t)
	w := newWorld(t)
	w.source = p.url
	var users []string
	for i := range workKeys / 20 {
		id, err := w.server.AddUser(fmt.Sprintf("user-%d@example.com", i), "")
		require.NoError(t, err)
		require.NoError(t, w.server.SetUserBalance(id, dec("100")))
		users = append(users, id)
	}
	dir := t.TempDir()
	report := func(i int) string { return filepath.Join(dir, strconv.Itoa(i)) }
	var children []*exec.Cmd
	for i, fate := range []string{"killed", "suspended", "", ""} {
		children = append(children, startChild(t, append(w.env(), "WORK_KEYS="+strings.Join(users, " "), "WORKER="+strconv.Itoa(i),
			"WORKER_FATE="+fate, "WORKER_REPORT="+report(i))...))
	}
	requests := func() (n int) {
		for op := range w.calls() {
			n += w.requests(op)
		}
		return n
	}
	require.Eventually(t, func() bool { return requests() > workKeys/2 }, time.Minute, time.Millisecond)
	p.Crash()
	p.restart()
	killed, ok := errors.AsType[*exec.ExitError](children[0].Wait())
	require.True(t, ok)
	require.Equal(t, syscall.SIGKILL, killed.Sys().(syscall.WaitStatus).Signal())
	require.NoError(t, children[2].Wait())
	require.NoError(t, children[3].Wait())
	// The other workers have finished the calls of the suspended process.
	require.NoError(t, children[1].Process.Signal(syscall.SIGCONT))
	require.NoError(t, children[1].Wait())
	fenced, err := os.ReadFile(report(1))
	require.NoError(t, err)
	assert.Equal(t, "1", string(fenced))

	once := w.open()
	_, err = once.Settle(t.Context())
	require.NoError(t, err)
	counts, err := once.Store().Counts(t.Context())
	require.NoError(t, err)
	t.Logf("%d keys, %d requests: %+v", workKeys, requests(), counts)
	w.audit(once, users)
	assert.Zero(t, counts.Pending)
	assert.Less(t, counts.Indeterminate, int64(10), "almost all outcomes are known")
}

// audit compares the row of each key with the server's data.
func (w *world) audit(once *idempotency.Once, users []string) {
	t := w.t
	client := w.server.Client()
	notes, created := map[string]int{}, map[string]int{}
	for entry, err := range client.AllTransactions(t.Context(), whozex.ListTransactionsParams{Limit: 100}) {
		require.NoError(t, err)
		notes[entry.Note]++
	}
	for user, err := range client.AllUsers(t.Context(), whozex.ListUsersParams{Limit: 100}) {
		require.NoError(t, err)
		key, _, _ := strings.Cut(user.Email, "@")
		created[key] = 1
		for i, id := range users {
			if id == user.ID {
				created[workKey(20*i)] = user.PackageCount
			}
		}
	}
	for k := range workKeys {
		r, err := once.Get(t.Context(), workKey(k))
		require.NoError(t, err, "no key may be lost")
		n := notes["key "+workKey(k)+" once"] + created[workKey(k)]
		switch r.State {
		case idempotency.Succeeded:
			assert.Equal(t, 1, n, r)
		case idempotency.Failed:
			assert.Zero(t, n, r)
		default:
			assert.Equal(t, idempotency.Indeterminate, r.State, r)
			assert.LessOrEqual(t, n, 1, r)
			assert.NotEmpty(t, r.Reason, r)
		}
	}
}
