package shop_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/internal/shop"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

const (
	customer = 42
	email    = "john@example.com"
)

// fixture is a shop on a fake server with one customer, who has a balance of $100.
// It records the notifications.
type fixture struct {
	*shop.Shop
	t      *testing.T
	server *whozextest.Server
	user   string

	mu     sync.Mutex
	states []idempotency.State
	alerts []string
}

func open(t *testing.T, opts ...whozex.Option) *fixture {
	t.Helper()
	s := &fixture{t: t, server: whozextest.NewServer()}
	t.Cleanup(s.server.Close)
	opts = append([]whozex.Option{whozex.WithGrace(0), whozex.WithBackoff(time.Millisecond, time.Millisecond)}, opts...)
	var err error
	s.Shop, err = shop.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "shop.db"), s.server.Client(opts...), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.Notify = func(_ context.Context, _ shop.Order, r *idempotency.Record) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.states = append(s.states, r.State)
	}
	s.AlertAdmin = func(_ context.Context, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.alerts = append(s.alerts, text)
	}
	user, err := s.Register(t.Context(), customer, email)
	require.NoError(t, err)
	s.user = user.ID
	require.NoError(t, s.server.SetUserBalance(s.user, decimal.NewFromInt(100)))
	return s
}

func (s *fixture) purchase(id string, gb int) shop.Order {
	s.t.Helper()
	quote, err := s.API.CalculatePrice(s.t.Context(), gb)
	require.NoError(s.t, err)
	return shop.Order{ID: id, Customer: customer, Requester: customer, GB: gb, ProxyType: whozex.ProxyResidential, Price: quote.Total}
}

func (s *fixture) record(o shop.Order) *idempotency.Record {
	s.t.Helper()
	r, err := s.Once.Get(s.t.Context(), o.Key())
	require.NoError(s.t, err)
	return r
}

func (s *fixture) sendPackageCreated(user, pkg string, gb int, at time.Time) {
	s.t.Helper()
	data, err := json.Marshal(whozex.PackageCreated{UserID: user, PackageID: pkg, GB: decimal.NewFromInt(int64(gb))})
	require.NoError(s.t, err)
	require.NoError(s.t, s.HandlePackageCreated(s.t.Context(), &webhookverify.Event{Name: whozex.EventPackageCreated, Data: data, Timestamp: at}))
}

func TestParseOrder(t *testing.T) {
	for name, o := range map[string]shop.Order{
		"purchase": {ID: shop.NewID(), Customer: 42, Requester: 42, GB: 20, ProxyType: whozex.ProxyMobile, Price: decimal.RequireFromString("18.25")},
		"top-up":   {ID: "-100-7", Customer: 42, Requester: 7, Amount: decimal.RequireFromString("50.10")},
		"longest": {ID: shop.NewID(), Customer: 9_999_999_999, Requester: 9_999_999_999, GB: 1_000_000, ProxyType: whozex.ProxyResidential,
			Price: decimal.RequireFromString("900000.25")},
	} {
		got, err := shop.ParseOrder(o.Key())
		require.NoError(t, err, name)
		assert.Equal(t, o.Key(), got.Key(), name)
		assert.Equal(t, o.Customer, got.Customer, name)
		assert.Equal(t, o.Requester, got.Requester, name)
		assert.LessOrEqual(t, len(o.Key()), 64, "the limit of a button's data and of a key")
	}
	for _, key := range []string{"", "customer:42", "buy:42:X:20:residential", "buy:42:X:020:residential:18", "buy:x:X:20:residential:18", "topup:7:42:1:0"} {
		_, err := shop.ParseOrder(key)
		assert.ErrorIs(t, err, shop.ErrNoOrder, "%q", key)
	}
}

func TestShop_ExecuteWithFaults(t *testing.T) {
	for _, fault := range []whozextest.Fault{
		whozextest.CommitThenDrop(), whozextest.DropBeforeCommit(), whozextest.TruncateBody(), whozextest.Garbage(),
		whozextest.ServerErrorAfterCommit(500), whozextest.ServerErrorBeforeCommit(503), whozextest.TooManyRequests("0"),
		whozextest.StallAfterCommit(), whozextest.StallBeforeCommit(),
	} {
		for _, op := range []whozex.Operation{whozex.OpPurchasePackage, whozex.OpAddBalance} {
			t.Run(fault.String()+"/"+string(op), func(t *testing.T) {
				s := open(t, whozex.WithTimeout(200*time.Millisecond))
				o := s.purchase("one", 20)
				if op == whozex.OpAddBalance {
					o = shop.Order{ID: "one", Customer: customer, Amount: decimal.NewFromInt(7)}
				}
				s.server.Inject(op, fault, 1)
				_ = s.Execute(t.Context(), o)
				var group sync.WaitGroup
				for range 3 {
					group.Go(func() {
						if err := s.Execute(t.Context(), o); err != nil {
							assert.ErrorIs(t, err, shop.ErrInProgress)
						}
					})
				}
				group.Wait()
				switch r := s.record(o); r.State {
				case idempotency.Succeeded:
					assert.Equal(t, 1, s.server.Commits(op))
				case idempotency.Indeterminate:
					assert.LessOrEqual(t, s.server.Commits(op), 1)
					assert.Len(t, s.alerts, 1, "an admin must be alerted")
				default:
					assert.Fail(t, "not resolved", r.String())
				}
			})
		}
	}
}

func TestShop_OnePurchasePerCustomer(t *testing.T) {
	s := open(t, whozex.WithTimeout(time.Second), whozex.WithGrace(time.Minute))
	first, second := s.purchase("first", 1), s.purchase("second", 1)
	s.server.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
	require.NoError(t, s.Execute(t.Context(), first))
	require.Equal(t, idempotency.Indeterminate, s.record(first).State)
	require.ErrorIs(t, s.Execute(t.Context(), second), shop.ErrBusy)
	assert.Equal(t, 1, s.server.Requests(whozex.OpPurchasePackage))
}

func TestShop_PriceChanged(t *testing.T) {
	s := open(t)
	o := s.purchase("one", 20)
	o.Price = decimal.NewFromInt(17)
	require.ErrorContains(t, s.Execute(t.Context(), o), "The price is now $18.00, not $17.00")
	assert.Zero(t, s.server.Requests(whozex.OpPurchasePackage))
}

func TestShop_LostResponseResolvedByEvent(t *testing.T) {
	s := open(t)
	o := s.purchase("one", 20)
	s.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	require.NoError(t, s.Execute(t.Context(), o))
	require.Empty(t, s.record(o).ResultID)
	s.sendPackageCreated("somebody", "PKG-0", 20, time.Now())
	s.sendPackageCreated(s.user, "PKG-0", 20, time.Now().Add(-time.Hour))
	assert.Empty(t, s.record(o).ResultID)
	for range 2 {
		s.sendPackageCreated(s.user, "PKG-1", 20, time.Now())
	}
	assert.Equal(t, "PKG-1", s.record(o).ResultID)
	assert.Equal(t, idempotency.Succeeded, s.states[len(s.states)-1])
	purchases, err := s.Packages(t.Context(), shop.Customer{UserID: s.user})
	require.NoError(t, err)
	require.Len(t, purchases, 1)
	owner, _, err := s.Owner(t.Context(), "PKG-1")
	require.NoError(t, err)
	assert.EqualValues(t, customer, owner.Customer)
}

func TestShop_PackageWithoutOrder(t *testing.T) {
	s := open(t)
	o := s.purchase("one", 20)
	require.NoError(t, s.Execute(t.Context(), o))
	s.sendPackageCreated(s.user, s.record(o).ResultID, 20, time.Now())
	s.sendPackageCreated("somebody", "PKG-1", 20, time.Now())
	require.Empty(t, s.alerts)
	s.sendPackageCreated(s.user, "PKG-1", 20, time.Now())
	require.Len(t, s.alerts, 1)
	assert.Contains(t, s.alerts[0], "PKG-1")
}

func TestShop_SettleNotifies(t *testing.T) {
	s := open(t)
	o := shop.Order{ID: "one", Customer: customer, Amount: decimal.NewFromInt(7)}
	s.server.Inject(whozex.OpAddBalance, whozextest.CommitThenDrop(), 1)
	s.server.Inject(whozex.OpListTransactions, whozextest.Garbage(), 1)
	require.NoError(t, s.Execute(t.Context(), o))
	require.Equal(t, []idempotency.State{idempotency.Indeterminate}, s.states)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); s.Settle(ctx, time.Millisecond) }()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.states) == 2
	}, 20*time.Second, time.Millisecond)
	cancel()
	<-done
	assert.Equal(t, idempotency.Succeeded, s.states[1])
	assert.Equal(t, 1, s.server.Commits(whozex.OpAddBalance))
}

func TestShop_RegisterExistingEmail(t *testing.T) {
	s := open(t)
	id, err := s.server.AddUser("old@example.com", "")
	require.NoError(t, err)
	_, err = s.Customer(t.Context(), 7)
	require.ErrorIs(t, err, shop.ErrNoCustomer)
	for range 2 {
		user, err := s.Register(t.Context(), 7, "old@example.com")
		require.NoError(t, err)
		assert.Equal(t, id, user.ID)
	}
	c, err := s.Customer(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, shop.Customer{ID: 7, UserID: id, Email: "old@example.com"}, c)
}

func TestShop_WebhookRegisteredOncePerURL(t *testing.T) {
	s := open(t)
	var secrets []string
	for _, path := range strings.Fields("a a b") {
		hook, err := s.Webhook(t.Context(), "https://example.com/"+path, whozex.EventPackageCreated)
		require.NoError(t, err)
		secrets = append(secrets, string(hook.Secret))
	}
	assert.Equal(t, 2, s.server.Commits(whozex.OpCreateWebhook))
	assert.Equal(t, secrets[0], secrets[1])
}
