package idempotency_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

// openWithKeys returns a Once whose store has a key in each state. During the
// client's grace period, a dropped request stays indeterminate.
func (w *world) openWithKeys(opts ...idempotency.Option) *idempotency.Once {
	w.t.Helper()
	once, ctx := w.open(opts...), w.t.Context()
	_, err := once.AddBalance(ctx, "succeeded", w.user, dec("1"), "")
	require.NoError(w.t, err)
	_, err = once.AddBalance(ctx, "failed", "nobody", dec("1"), "")
	require.ErrorIs(w.t, err, whozex.ErrNotFound)
	w.server.Inject(whozex.OpAddBalance, whozextest.DropBeforeCommit(), 1)
	_, err = once.AddBalance(ctx, "indeterminate", w.user, dec("1"), "")
	require.ErrorIs(w.t, err, idempotency.ErrIndeterminate)
	crashing := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepClaimed {
			panic(step)
		}
	}))
	assert.Panics(w.t, func() { _, _ = crashing.AddBalance(ctx, "pending", w.user, dec("1"), "") })
	return once
}

func TestOnce_Settle(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	var settled []string
	once := w.openWithKeys(idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) {
		settled = append(settled, r.String())
	}))
	report, err := once.Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Indeterminate: 1, InProgress: 1}, report)
	open, err := once.Pending(t.Context())
	require.NoError(t, err)
	require.Len(t, open, 2)
	assert.Empty(t, settled)

	expireLeases(t, once)
	report, err = once.Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Indeterminate: 2}, report)
	r, err := once.Get(t.Context(), "pending")
	require.NoError(t, err)
	assert.Equal(t, idempotency.Indeterminate, r.State)
	assert.NotEmpty(t, r.Reason)
	assert.False(t, r.NotBefore.IsZero(), "Reconcile can decide later")

	// This process has no grace period.
	withoutGrace := w.openWith([]whozex.Option{whozex.WithGrace(0)}, idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) {
		settled = append(settled, r.String())
	}))
	report, err = withoutGrace.Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Failed: 2}, report)
	assert.ElementsMatch(t, []string{"AddBalance of key indeterminate: failed", "AddBalance of key pending: failed"}, settled)
	assert.Equal(t, 1, w.commits(whozex.OpAddBalance))
	for _, key := range []string{"pending", "indeterminate"} { // a failed call is sent again
		_, err := withoutGrace.AddBalance(t.Context(), key, w.user, dec("1"), "")
		require.NoError(t, err)
	}
	assert.Equal(t, 3, w.commits(whozex.OpAddBalance))
}

func TestOnce_Resolve(t *testing.T) {
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint("applied ", applied), func(t *testing.T) {
			w := newWorld(t)
			var settled []idempotency.State
			once := w.open(idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) { settled = append(settled, r.State) }))
			createWebhook := w.calls()[whozex.OpCreateWebhook]
			w.server.Inject(whozex.OpCreateWebhook, whozextest.CommitThenDrop(), 1)
			_, err := createWebhook(once, "hook")
			require.ErrorIs(t, err, idempotency.ErrIndeterminate)
			decision := idempotency.Resolution{Applied: applied, Reason: "seen at the panel"}
			if applied {
				decision.ResultID, decision.Secret = "WH-1", "wxsec_example"
			}
			for range 2 {
				r, err := once.Resolve(t.Context(), "hook", decision)
				require.NoError(t, err)
				assert.Equal(t, idempotency.FromPerson, r.Source)
				assert.Equal(t, "seen at the panel", r.Reason)
			}
			require.Len(t, settled, 1)
			_, err = once.Resolve(t.Context(), "hook", idempotency.Resolution{Applied: !applied})
			require.ErrorIs(t, err, idempotency.ErrKeyReused, "a final row does not change")
			id, err := createWebhook(once, "hook")
			require.NoError(t, err)
			if applied {
				assert.Equal(t, "WH-1", id)
				assert.Equal(t, 1, w.requests(whozex.OpCreateWebhook))
			} else {
				assert.Equal(t, 2, w.requests(whozex.OpCreateWebhook))
			}
		})
	}
}

func TestOnce_ResolveErrors(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	once := w.openWithKeys()
	_, err := once.Resolve(t.Context(), "unknown", idempotency.Resolution{})
	require.ErrorIs(t, err, idempotency.ErrUnknownKey)
	_, err = once.Resolve(t.Context(), "pending", idempotency.Resolution{})
	require.ErrorIs(t, err, idempotency.ErrInProgress)
	_, err = once.Resolve(t.Context(), "succeeded", idempotency.Resolution{Applied: false})
	require.ErrorIs(t, err, idempotency.ErrKeyReused)
}

func packageCreated(t testing.TB, user, pkg string, gb int, at time.Time) *webhookverify.Event {
	t.Helper()
	data, err := json.Marshal(map[string]any{"user_id": user, "package_id": pkg, "gb": gb, "cost": 18})
	require.NoError(t, err)
	return &webhookverify.Event{Name: whozex.EventPackageCreated, Data: data, Timestamp: at}
}

func TestOnce_HandleEvent(t *testing.T) {
	w := newWorld(t)
	once, buy := w.open(), w.calls()[whozex.OpPurchasePackage]
	w.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	_, err := buy(once, "order-1")
	require.ErrorIs(t, err, idempotency.ErrResultLost)
	for name, event := range map[string]*webhookverify.Event{
		"another user":           packageCreated(t, "somebody", "PKG-1", 20, time.Now()),
		"another size":           packageCreated(t, w.user, "PKG-1", 5, time.Now()),
		"older than the request": packageCreated(t, w.user, "PKG-1", 20, time.Now().Add(-time.Hour)),
		"another event":          {Name: whozex.EventPackageLowGB, Data: []byte(`{}`)},
	} {
		require.NoError(t, once.HandleEvent(t.Context(), event), name)
		_, err := once.FindResult(t.Context(), "PKG-1")
		require.ErrorIs(t, err, idempotency.ErrUnknownKey, name)
	}
	for _, data := range []string{`{}`, `null`, `7`} {
		err := once.HandleEvent(t.Context(), &webhookverify.Event{Name: whozex.EventPackageCreated, Data: []byte(data)})
		require.ErrorIs(t, err, webhookverify.ErrMalformedEvent, data)
	}
	for range 2 {
		require.NoError(t, once.HandleEvent(t.Context(), packageCreated(t, w.user, "PKG-1", 20, time.Now())))
	}
	r, err := once.FindResult(t.Context(), "PKG-1")
	require.NoError(t, err)
	assert.Equal(t, "order-1", r.Key)
	assert.Equal(t, idempotency.FromEvent, r.Source)
	id, err := buy(once, "order-1")
	require.NoError(t, err)
	assert.Equal(t, "PKG-1", id)
	rows, err := once.ListSubject(t.Context(), w.user)
	require.NoError(t, err)
	assert.Len(t, rows, 1)
}

func TestOnce_HandleEventAmbiguous(t *testing.T) {
	w := newWorld(t)
	once, buy := w.open(), w.calls()[whozex.OpPurchasePackage]
	first := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepClaimed { // events may come before the response
			require.NoError(t, once.HandleEvent(t.Context(), packageCreated(t, w.user, "PKG-1", 20, time.Now())))
			require.NoError(t, once.HandleEvent(t.Context(), packageCreated(t, w.user, "PKG-2", 20, time.Now())))
		}
	}))
	w.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	_, err := buy(first, "order-1")
	require.ErrorIs(t, err, idempotency.ErrIndeterminate)
	require.ErrorContains(t, err, "more than one package: [PKG-1 PKG-2]")
	_, err = buy(once, "order-2")
	require.ErrorIs(t, err, idempotency.ErrUserBusy)
	r, err := once.Resolve(t.Context(), "order-1", idempotency.Resolution{Applied: true, ResultID: "PKG-2"})
	require.NoError(t, err)
	assert.Equal(t, "PKG-2", r.ResultID)
	_, err = buy(once, "order-2")
	require.NoError(t, err)
}

func TestOnce_WithOtherBuyers(t *testing.T) {
	w := newWorld(t)
	once := w.open(idempotency.WithOtherBuyers())
	w.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	_, err := w.calls()[whozex.OpPurchasePackage](once, "order-1")
	require.ErrorIs(t, err, idempotency.ErrIndeterminate)
	require.NoError(t, once.HandleEvent(t.Context(), packageCreated(t, w.user, "PKG-1", 20, time.Now())))
	_, err = once.FindResult(t.Context(), "PKG-1")
	require.ErrorIs(t, err, idempotency.ErrUnknownKey)
	assert.Equal(t, 1, w.requests(whozex.OpPurchasePackage))
}

func TestOnce_SettleAfterCrashBeforeStore(t *testing.T) {
	w := newWorld(t)
	once := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepEnded {
			panic("crash before the outcome is stored")
		}
	}))
	call := w.calls()[whozex.OpAddBalance]
	assert.Panics(t, func() { _, _ = call(once, "order-1") })
	expireLeases(t, once)
	report, err := w.open().Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Succeeded: 1}, report)
	_, err = call(w.open(), "order-1")
	require.NoError(t, err)
	assert.Equal(t, 1, w.requests(whozex.OpAddBalance))
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A slow process renews its lease, which was over, while another process runs
// Reconcile for its key. It must keep its claim.
func TestOnce_LeaseRenewedDuringSettle(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	once := w.openWithKeys()
	expireLeases(t, once)
	renewing := whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTripFunc(func(r *http.Request) (*http.Response, error) {
			_, err := once.Store().Database().ExecContext(r.Context(), `UPDATE whozex_operations SET lease_until = 9e15 WHERE idempotency_key = 'pending'`)
			assert.NoError(t, err)
			return next.RoundTrip(r)
		})
	})
	report, err := w.openWith([]whozex.Option{whozex.WithGrace(0), renewing}).Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Failed: 1, InProgress: 1}, report)
}

func TestOnce_PurchaseWithUnknownPackage(t *testing.T) {
	w := newWorld(t)
	var settled []string
	once := w.open(idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) {
		settled = append(settled, string(r.State)+" "+r.ResultID)
	}))
	crashing := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepEnded {
			panic(step)
		}
	}))
	assert.Panics(t, func() { _, _ = w.calls()[whozex.OpPurchasePackage](crashing, "order-1") })
	expireLeases(t, once)
	for range 2 {
		_, err := once.Settle(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []string{"succeeded "}, settled)
	purged, err := once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Zero(t, purged)
	require.NoError(t, once.HandleEvent(t.Context(), packageCreated(t, w.user, "PKG-1", 20, time.Now())))
	require.Equal(t, []string{"succeeded ", "succeeded PKG-1"}, settled)
	purged, err = once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.EqualValues(t, 1, purged)
}
