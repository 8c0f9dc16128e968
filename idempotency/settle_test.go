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

// seeded is a process with one key in each state. The world's grace makes what was
// lost before it was carried out indeterminate.
func (w *world) seeded(opts ...idempotency.Option) *idempotency.Once {
	w.t.Helper()
	once, ctx := w.open(opts...), w.t.Context()
	_, err := once.AddBalance(ctx, "succeeded", w.user, dec("1"), "")
	require.NoError(w.t, err)
	_, err = once.AddBalance(ctx, "failed", "nobody", dec("1"), "")
	require.ErrorIs(w.t, err, whozex.ErrNotFound)
	w.server.Inject(whozex.OpAddBalance, whozextest.DropBeforeCommit(), 1)
	_, err = once.AddBalance(ctx, "indeterminate", w.user, dec("1"), "")
	require.ErrorIs(w.t, err, idempotency.ErrIndeterminate)
	dying := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepClaimed {
			panic(step)
		}
	}))
	assert.Panics(w.t, func() { _, _ = dying.AddBalance(ctx, "pending", w.user, dec("1"), "") })
	return once
}

func TestSettleFindsOutWhatCanBeFoundOut(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	var news []string
	once := w.seeded(idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) {
		news = append(news, r.String())
	}))
	report, err := once.Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Indeterminate: 1, InProgress: 1}, report)
	open, err := once.Pending(t.Context())
	require.NoError(t, err)
	require.Len(t, open, 2)
	assert.Empty(t, news)

	leasesRunOut(t, once)
	report, err = once.Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Indeterminate: 2}, report)
	r, err := once.Get(t.Context(), "pending")
	require.NoError(t, err)
	assert.Equal(t, idempotency.Indeterminate, r.State)
	assert.NotEmpty(t, r.Reason)
	assert.False(t, r.NotBefore.IsZero(), "it is only too early")

	// When the grace is over, as it is at once for this process.
	settler := w.openWith([]whozex.Option{whozex.WithGrace(0)}, idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) {
		news = append(news, r.String())
	}))
	report, err = settler.Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Failed: 2}, report)
	assert.ElementsMatch(t, []string{"AddBalance of key indeterminate: failed", "AddBalance of key pending: failed"}, news)
	assert.Equal(t, 1, w.commits(whozex.OpAddBalance))
	for _, key := range []string{"pending", "indeterminate"} { // and may be tried again
		_, err := settler.AddBalance(t.Context(), key, w.user, dec("1"), "")
		require.NoError(t, err)
	}
	assert.Equal(t, 3, w.commits(whozex.OpAddBalance))
}

func TestResolveIsAPersonsDecision(t *testing.T) {
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint("applied ", applied), func(t *testing.T) {
			w := newWorld(t)
			var news []idempotency.State
			once := w.open(idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) { news = append(news, r.State) }))
			hook := w.calls()[whozex.OpCreateWebhook]
			w.server.Inject(whozex.OpCreateWebhook, whozextest.CommitThenDrop(), 1)
			_, err := hook(once, "hook")
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
			require.Len(t, news, 1)
			_, err = once.Resolve(t.Context(), "hook", idempotency.Resolution{Applied: !applied})
			require.ErrorIs(t, err, idempotency.ErrKeyReused, "what is final stays")
			id, err := hook(once, "hook")
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

func TestResolveRefuses(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	once := w.seeded()
	_, err := once.Resolve(t.Context(), "unknown", idempotency.Resolution{})
	require.ErrorIs(t, err, idempotency.ErrUnknownKey)
	_, err = once.Resolve(t.Context(), "pending", idempotency.Resolution{})
	require.ErrorIs(t, err, idempotency.ErrInProgress)
	_, err = once.Resolve(t.Context(), "succeeded", idempotency.Resolution{Applied: false})
	require.ErrorIs(t, err, idempotency.ErrKeyReused)
}

func created(t testing.TB, user, pkg string, gb int, at time.Time) *webhookverify.Event {
	t.Helper()
	data, err := json.Marshal(map[string]any{"user_id": user, "package_id": pkg, "gb": gb, "cost": 18})
	require.NoError(t, err)
	return &webhookverify.Event{Name: whozex.EventPackageCreated, Data: data, Timestamp: at}
}

func TestAnEventSettlesItsOwnPurchaseAlone(t *testing.T) {
	w := newWorld(t)
	once, buy := w.open(), w.calls()[whozex.OpPurchasePackage]
	w.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	_, err := buy(once, "order-1")
	require.ErrorIs(t, err, idempotency.ErrResultLost)
	for name, event := range map[string]*webhookverify.Event{
		"another user's":  created(t, "somebody", "PKG-1", 20, time.Now()),
		"another size":    created(t, w.user, "PKG-1", 5, time.Now()),
		"an older one":    created(t, w.user, "PKG-1", 20, time.Now().Add(-time.Hour)),
		"another's event": {Name: whozex.EventPackageLowGB, Data: []byte(`{}`)},
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
		require.NoError(t, once.HandleEvent(t.Context(), created(t, w.user, "PKG-1", 20, time.Now())))
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

func TestTwoEventsThatMayBeOnePurchasesSettleNothing(t *testing.T) {
	w := newWorld(t)
	once, buy := w.open(), w.calls()[whozex.OpPurchasePackage]
	early := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepClaimed { // events may come before the response
			require.NoError(t, once.HandleEvent(t.Context(), created(t, w.user, "PKG-1", 20, time.Now())))
			require.NoError(t, once.HandleEvent(t.Context(), created(t, w.user, "PKG-2", 20, time.Now())))
		}
	}))
	w.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	_, err := buy(early, "order-1")
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

func TestWhereOthersBuyNothingIsAttributed(t *testing.T) {
	w := newWorld(t)
	once := w.open(idempotency.WithOtherBuyers())
	w.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	_, err := w.calls()[whozex.OpPurchasePackage](once, "order-1")
	require.ErrorIs(t, err, idempotency.ErrIndeterminate)
	require.NoError(t, once.HandleEvent(t.Context(), created(t, w.user, "PKG-1", 20, time.Now())))
	_, err = once.FindResult(t.Context(), "PKG-1")
	require.ErrorIs(t, err, idempotency.ErrUnknownKey)
	assert.Equal(t, 1, w.requests(whozex.OpPurchasePackage))
}

func TestAnOutcomeThatCannotBeStoredIsFoundOutLater(t *testing.T) {
	w := newWorld(t)
	once := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepEnded {
			panic("the process dies before it has stored the outcome")
		}
	}))
	call := w.calls()[whozex.OpAddBalance]
	assert.Panics(t, func() { _, _ = call(once, "order-1") })
	leasesRunOut(t, once)
	report, err := w.open().Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Succeeded: 1}, report)
	_, err = call(w.open(), "order-1")
	require.NoError(t, err)
	assert.Equal(t, 1, w.requests(whozex.OpAddBalance))
}

// roundTrip is middleware of one function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A process that was slow for longer than its lease, and renews it while another
// looks for its request, keeps its claim.
func TestALeaseThatIsRenewedMeanwhileCounts(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	once := w.seeded()
	leasesRunOut(t, once)
	renewing := whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			_, err := once.Store().Database().ExecContext(r.Context(), `UPDATE whozex_operations SET lease_until = 9e15 WHERE idempotency_key = 'pending'`)
			assert.NoError(t, err)
			return next.RoundTrip(r)
		})
	})
	report, err := w.openWith([]whozex.Option{whozex.WithGrace(0), renewing}).Settle(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Report{Failed: 1, InProgress: 1}, report)
}

func TestAPurchaseWithoutItsPackageIsNewsAndStaysOpen(t *testing.T) {
	w := newWorld(t)
	var news []string
	once := w.open(idempotency.WithOnSettled(func(_ context.Context, r *idempotency.Record) {
		news = append(news, string(r.State)+" "+r.ResultID)
	}))
	dying := w.open(idempotency.WithStepHook(func(step idempotency.Step) {
		if step == idempotency.StepEnded {
			panic(step)
		}
	}))
	assert.Panics(t, func() { _, _ = w.calls()[whozex.OpPurchasePackage](dying, "order-1") })
	leasesRunOut(t, once)
	for range 2 {
		_, err := once.Settle(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []string{"succeeded "}, news)
	gone, err := once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Zero(t, gone)
	require.NoError(t, once.HandleEvent(t.Context(), created(t, w.user, "PKG-1", 20, time.Now())))
	require.Equal(t, []string{"succeeded ", "succeeded PKG-1"}, news)
	gone, err = once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.EqualValues(t, 1, gone)
}
