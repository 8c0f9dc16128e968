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

// stall is a shop on a sandbox with one customer, who has $100, and what it says.
type stall struct {
	*shop.Shop
	t      *testing.T
	server *whozextest.Server
	user   string

	mu     sync.Mutex
	told   []idempotency.State
	alarms []string
}

func open(t *testing.T, opts ...whozex.Option) *stall {
	t.Helper()
	s := &stall{t: t, server: whozextest.NewServer()}
	t.Cleanup(s.server.Close)
	opts = append([]whozex.Option{whozex.WithGrace(0), whozex.WithBackoff(time.Millisecond, time.Millisecond)}, opts...)
	var err error
	s.Shop, err = shop.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "shop.db"), s.server.Client(opts...), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.Tell = func(_ context.Context, _ shop.Order, r *idempotency.Record) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, r.State)
	}
	s.Alarm = func(_ context.Context, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.alarms = append(s.alarms, text)
	}
	user, err := s.Join(t.Context(), customer, email)
	require.NoError(t, err)
	s.user = user.ID
	require.NoError(t, s.server.SetUserBalance(s.user, decimal.NewFromInt(100)))
	return s
}

func (s *stall) purchase(id string, gb int) shop.Order {
	s.t.Helper()
	quote, err := s.API.CalculatePrice(s.t.Context(), gb)
	require.NoError(s.t, err)
	return shop.Order{ID: id, Customer: customer, Asker: customer, GB: gb, ProxyType: whozex.ProxyResidential, Price: quote.Total}
}

func (s *stall) stands(o shop.Order) *idempotency.Record {
	s.t.Helper()
	r, err := s.Once.Get(s.t.Context(), o.Key())
	require.NoError(s.t, err)
	return r
}

func (s *stall) created(user, pkg string, gb int, at time.Time) {
	s.t.Helper()
	data, err := json.Marshal(whozex.PackageCreated{UserID: user, PackageID: pkg, GB: decimal.NewFromInt(int64(gb))})
	require.NoError(s.t, err)
	require.NoError(s.t, s.Created(s.t.Context(), &webhookverify.Event{Name: whozex.EventPackageCreated, Data: data, Timestamp: at}))
}

func TestAnOrderIsItsKey(t *testing.T) {
	for name, o := range map[string]shop.Order{
		"purchase": {ID: shop.NewID(), Customer: 42, Asker: 42, GB: 20, ProxyType: whozex.ProxyMobile, Price: decimal.RequireFromString("18.25")},
		"top-up":   {ID: "-100-7", Customer: 42, Asker: 7, Amount: decimal.RequireFromString("50.10")},
		"longest": {ID: shop.NewID(), Customer: 9_999_999_999, Asker: 9_999_999_999, GB: 1_000_000, ProxyType: whozex.ProxyResidential,
			Price: decimal.RequireFromString("900000.25")},
	} {
		got, err := shop.ParseOrder(o.Key())
		require.NoError(t, err, name)
		assert.Equal(t, o.Key(), got.Key(), name)
		assert.Equal(t, o.Customer, got.Customer, name)
		assert.Equal(t, o.Asker, got.Asker, name)
		assert.LessOrEqual(t, len(o.Key()), 64, "as long as a button's data and a key may be")
	}
	for _, other := range []string{"", "customer:42", "buy:42:X:20:residential", "buy:42:X:020:residential:18", "buy:x:X:20:residential:18", "topup:7:42:1:0"} {
		_, err := shop.ParseOrder(other)
		assert.ErrorIs(t, err, shop.ErrNoOrder, "%q", other)
	}
}

func TestTheLedgerMatchesTheWordOfTheShop(t *testing.T) {
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
				_ = s.CarryOut(t.Context(), o)
				var taps sync.WaitGroup
				for range 3 {
					taps.Go(func() {
						if err := s.CarryOut(t.Context(), o); err != nil {
							assert.ErrorIs(t, err, shop.ErrTaken)
						}
					})
				}
				taps.Wait()
				switch r := s.stands(o); r.State {
				case idempotency.Succeeded:
					assert.Equal(t, 1, s.server.Commits(op))
				case idempotency.Indeterminate:
					assert.LessOrEqual(t, s.server.Commits(op), 1)
					assert.Len(t, s.alarms, 1, "an admin looks")
				default:
					assert.Fail(t, "not settled", r.String())
				}
			})
		}
	}
}

func TestOnePurchaseOfACustomerAtATime(t *testing.T) {
	s := open(t, whozex.WithTimeout(time.Second), whozex.WithGrace(time.Minute))
	first, second := s.purchase("first", 1), s.purchase("second", 1)
	s.server.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
	require.NoError(t, s.CarryOut(t.Context(), first))
	require.Equal(t, idempotency.Indeterminate, s.stands(first).State)
	require.ErrorIs(t, s.CarryOut(t.Context(), second), shop.ErrBusy)
	assert.Equal(t, 1, s.server.Requests(whozex.OpPurchasePackage))
}

func TestAPriceThatChangedIsNotPaid(t *testing.T) {
	s := open(t)
	o := s.purchase("one", 20)
	o.Price = decimal.NewFromInt(17)
	require.ErrorContains(t, s.CarryOut(t.Context(), o), "The price is $18.00 now, not $17.00")
	assert.Zero(t, s.server.Requests(whozex.OpPurchasePackage))
}

func TestALostPackageComesBackByItsEventAlone(t *testing.T) {
	s := open(t)
	o := s.purchase("one", 20)
	s.server.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	require.NoError(t, s.CarryOut(t.Context(), o))
	require.Empty(t, s.stands(o).ResultID)
	s.created("somebody", "PKG-0", 20, time.Now())
	s.created(s.user, "PKG-0", 20, time.Now().Add(-time.Hour))
	assert.Empty(t, s.stands(o).ResultID)
	for range 2 {
		s.created(s.user, "PKG-1", 20, time.Now())
	}
	assert.Equal(t, "PKG-1", s.stands(o).ResultID)
	assert.Equal(t, idempotency.Succeeded, s.told[len(s.told)-1])
	mine, err := s.Packages(t.Context(), shop.Customer{UserID: s.user})
	require.NoError(t, err)
	require.Len(t, mine, 1)
	owner, _, err := s.Owner(t.Context(), "PKG-1")
	require.NoError(t, err)
	assert.EqualValues(t, customer, owner.Customer)
}

func TestAPackageThatNoOrderAccountsForIsForAnAdmin(t *testing.T) {
	s := open(t)
	o := s.purchase("one", 20)
	require.NoError(t, s.CarryOut(t.Context(), o))
	s.created(s.user, s.stands(o).ResultID, 20, time.Now())
	s.created("somebody", "PKG-1", 20, time.Now())
	require.Empty(t, s.alarms)
	s.created(s.user, "PKG-1", 20, time.Now())
	require.Len(t, s.alarms, 1)
	assert.Contains(t, s.alarms[0], "PKG-1")
}

func TestWhatIsSettledLaterIsTold(t *testing.T) {
	s := open(t)
	o := shop.Order{ID: "one", Customer: customer, Amount: decimal.NewFromInt(7)}
	s.server.Inject(whozex.OpAddBalance, whozextest.CommitThenDrop(), 1)
	s.server.Inject(whozex.OpListTransactions, whozextest.Garbage(), 1)
	require.NoError(t, s.CarryOut(t.Context(), o))
	require.Equal(t, []idempotency.State{idempotency.Indeterminate}, s.told)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() { defer close(done); s.Settle(ctx, time.Millisecond) }()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.told) == 2
	}, 20*time.Second, time.Millisecond)
	cancel()
	<-done
	assert.Equal(t, idempotency.Succeeded, s.told[1])
	assert.Equal(t, 1, s.server.Commits(whozex.OpAddBalance))
}

func TestACustomerWhoseEmailIsThereAlready(t *testing.T) {
	s := open(t)
	id, err := s.server.AddUser("old@example.com", "")
	require.NoError(t, err)
	_, err = s.Customer(t.Context(), 7)
	require.ErrorIs(t, err, shop.ErrNoCustomer)
	for range 2 {
		user, err := s.Join(t.Context(), 7, "old@example.com")
		require.NoError(t, err)
		assert.Equal(t, id, user.ID)
	}
	c, err := s.Customer(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, shop.Customer{ID: 7, UserID: id, Email: "old@example.com"}, c)
}

func TestAWebhookIsRegisteredOnceForEachAddress(t *testing.T) {
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
