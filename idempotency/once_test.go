package idempotency_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

var faults = []whozextest.Fault{
	whozextest.DropBeforeCommit(), whozextest.CommitThenDrop(), whozextest.TruncateBody(),
	whozextest.StallBeforeCommit(), whozextest.StallAfterCommit(),
	whozextest.ServerErrorBeforeCommit(503), whozextest.ServerErrorAfterCommit(500),
	whozextest.TooManyRequests("0"), whozextest.Garbage(),
}

func TestOnce_SameKey(t *testing.T) {
	for op, call := range newWorld(t).calls() {
		t.Run(string(op), func(t *testing.T) {
			w := newWorld(t)
			call = w.calls()[op]
			first, err := call(w.open(), "order-1")
			require.NoError(t, err)
			require.NotEmpty(t, first)
			requests := w.requests(op)
			for range 2 { // restarts
				once := w.open()
				again, err := call(once, "order-1")
				require.NoError(t, err)
				assert.Equal(t, first, again)
				r, err := once.Get(t.Context(), "order-1")
				require.NoError(t, err)
				assert.Equal(t, idempotency.Succeeded, r.State)
				assert.Equal(t, idempotency.FromResponse, r.Source)
			}
			assert.Equal(t, 1, w.commits(op))
			assert.Equal(t, requests, w.requests(op))
			_, err = call(w.open(), "order-2")
			require.NoError(t, err)
			assert.Equal(t, 2, w.commits(op), "another key makes another call")
		})
	}
}

// With any fault, the server carries out the call at most once, and the row agrees
// with the server.
func TestOnce_Faults(t *testing.T) {
	for _, fault := range faults {
		for op := range newWorld(t).calls() {
			t.Run(fault.String()+"/"+string(op), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.server.Inject(op, fault, 1)
				var lastErr error
				var once *idempotency.Once
				for i := range 3 {
					timeout := whozex.WithTimeout(time.Minute)
					if i == 0 && strings.HasPrefix(fault.String(), "stall") {
						timeout = whozex.WithTimeout(200 * time.Millisecond)
					}
					once = w.openWith([]whozex.Option{timeout})
					_, lastErr = w.calls()[op](once, "order-1")
				}
				w.checkAgainstServer(once, op, "order-1", lastErr)
			})
		}
	}
}

// checkAgainstServer compares the row of a key, and the error of its last call, with
// the number of calls that the server carried out.
func (w *world) checkAgainstServer(once *idempotency.Once, op whozex.Operation, key string, err error) {
	w.t.Helper()
	r, getErr := once.Get(w.t.Context(), key)
	if errors.Is(getErr, idempotency.ErrUnknownKey) {
		assert.Zero(w.t, w.commits(op), "%v", err)
		return
	}
	require.NoError(w.t, getErr)
	n := w.commits(op)
	assert.LessOrEqual(w.t, n, 1)
	switch r.State {
	case idempotency.Succeeded:
		assert.Equal(w.t, 1, n)
		if r.ResultID == "" {
			assert.ErrorIs(w.t, err, idempotency.ErrResultLost)
		} else {
			assert.NoError(w.t, err)
		}
	case idempotency.Failed:
		assert.Zero(w.t, n)
		assert.Error(w.t, err)
	case idempotency.Indeterminate:
		assert.ErrorIs(w.t, err, idempotency.ErrIndeterminate)
		assert.ErrorIs(w.t, err, whozex.ErrOutcomeUnknown)
		assert.NotEmpty(w.t, r.Reason)
		assert.Contains(w.t, []whozex.Operation{whozex.OpPurchasePackage, whozex.OpCreateWebhook}, op, "Reconcile can decide this operation: %s", r.Reason)
	default:
		assert.Fail(w.t, "not resolved", r.String())
	}
}

func TestOnce_KeyReused(t *testing.T) {
	w := newWorld(t)
	once, ctx := w.open(), t.Context()
	_, err := once.AddBalance(ctx, "order-1", w.user, dec("5"), "")
	require.NoError(t, err)
	_, err = once.AddBalance(ctx, "order-1", w.user, dec("5.00"), "")
	require.NoError(t, err, "the same amount")
	for name, call := range map[string]func() error{
		"amount":    func() error { _, err := once.AddBalance(ctx, "order-1", w.user, dec("6"), ""); return err },
		"note":      func() error { _, err := once.AddBalance(ctx, "order-1", w.user, dec("5"), "x"); return err },
		"user":      func() error { _, err := once.AddBalance(ctx, "order-1", "another", dec("5"), ""); return err },
		"operation": func() error { _, err := once.DeductBalance(ctx, "order-1", w.user, dec("5"), ""); return err },
	} {
		assert.ErrorIs(t, call(), idempotency.ErrKeyReused, name)
	}
	assert.Equal(t, 1, w.requests(whozex.OpAddBalance)+w.requests(whozex.OpDeductBalance))
}

func TestOnce_InvalidKey(t *testing.T) {
	w := newWorld(t)
	once := w.open()
	for _, key := range []string{"", "a b", "é", "a\x00", "<b>", fmt.Sprintf("%065d", 1)} {
		_, err := once.AddBalance(t.Context(), key, w.user, dec("5"), "")
		assert.ErrorIs(t, err, idempotency.ErrInvalidKey, "%q", key)
	}
	assert.Zero(t, w.requests(whozex.OpAddBalance))
}

func TestOnce_InvalidParams(t *testing.T) {
	w := newWorld(t)
	once := w.open()
	requests := len(w.server.RequestLog())
	_, err := once.PurchasePackage(t.Context(), "order-1", w.user, whozex.PurchasePackageParams{GB: 0})
	require.ErrorIs(t, err, whozex.ErrInvalidParams)
	_, err = once.PurchasePackage(t.Context(), "order-1", "..", whozex.PurchasePackageParams{GB: 1})
	require.ErrorIs(t, err, whozex.ErrInvalidParams)
	_, err = once.AddBalance(t.Context(), "order-1", w.user, dec("-5"), "")
	require.ErrorIs(t, err, whozex.ErrInvalidParams)
	assert.Len(t, w.server.RequestLog(), requests)
	_, err = once.Get(t.Context(), "order-1")
	require.ErrorIs(t, err, idempotency.ErrUnknownKey)
}

func TestOnce_FailedCallIsRetried(t *testing.T) {
	w := newWorld(t)
	once := w.open()
	buy := w.calls()[whozex.OpPurchasePackage]
	require.NoError(t, w.server.SetUserBalance(w.user, dec("1")))
	_, err := buy(once, "order-1")
	require.ErrorIs(t, err, whozex.ErrInsufficientBalance)
	r, err := once.Get(t.Context(), "order-1")
	require.NoError(t, err)
	assert.Equal(t, idempotency.Failed, r.State)
	assert.Contains(t, r.Reason, "INSUFFICIENT_BALANCE")
	require.NoError(t, w.server.SetUserBalance(w.user, dec("100")))
	id, err := buy(once, "order-1")
	require.NoError(t, err)
	r, err = once.FindResult(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, "order-1", r.Key)
	assert.EqualValues(t, 2, r.Attempts)
}

func TestOnce_SameKeyConcurrently(t *testing.T) {
	for op := range newWorld(t).calls() {
		t.Run(string(op), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			call := w.calls()[op]
			var group sync.WaitGroup
			for range 4 {
				once := w.open()
				for range 4 {
					group.Go(func() {
						if _, err := call(once, "order-1"); err != nil {
							for _, expected := range []error{idempotency.ErrInProgress, idempotency.ErrUserBusy} {
								if errors.Is(err, expected) {
									return
								}
							}
							assert.NoError(t, err)
						}
					})
				}
			}
			group.Wait()
			assert.Equal(t, 1, w.commits(op))
			_, err := call(w.open(), "order-1")
			require.NoError(t, err)
		})
	}
}
