package shop_test

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/shop"
	"github.com/whozex/whozex-go/whozextest"
)

const customer = 42

// open opens a shop with one customer, who has $100.
func open(t *testing.T, opts ...whozex.Option) (*whozextest.Server, *shop.Shop) {
	t.Helper()
	server := whozextest.NewServer()
	t.Cleanup(server.Close)
	opts = append([]whozex.Option{whozex.WithGrace(0), whozex.WithBackoff(time.Millisecond, time.Millisecond)}, opts...)
	s, err := shop.Open(filepath.Join(t.TempDir(), "shop.db"), server.Client(opts...), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.Tell = func(context.Context, *shop.Order) {}
	s.Alarm = func(context.Context, string) {}
	id, err := server.AddUser("john@example.com", "")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(id, decimal.NewFromInt(100)))
	require.NoError(t, s.Link(customer, &whozex.User{ID: id, Email: "john@example.com"}))
	return server, s
}

func offer(t *testing.T, s *shop.Shop, o shop.Order) {
	t.Helper()
	if !o.TopUp() {
		quote, err := s.API.CalculatePrice(t.Context(), o.GB)
		require.NoError(t, err)
		o.Price = quote.Total
	}
	require.NoError(t, s.Offer(customer, o))
}

func stands(t *testing.T, s *shop.Shop, orderID string) *shop.Order {
	t.Helper()
	c, err := s.Customer(customer)
	require.NoError(t, err)
	return c.Orders[orderID]
}

func TestTheBooksMatchTheWordOfTheShop(t *testing.T) {
	orders := map[whozex.Operation]shop.Order{
		whozex.OpPurchasePackage: {ID: "one", GB: 20},
		whozex.OpAddBalance:      {ID: "one", Amount: decimal.NewFromInt(7)},
	}
	for _, fault := range []whozextest.Fault{
		whozextest.CommitThenCut(), whozextest.CutBeforeCommit(), whozextest.CutBody(), whozextest.Garbage(),
		whozextest.ServerErrorAfterCommit(500), whozextest.ServerErrorBeforeCommit(503), whozextest.TooManyRequests("0"),
		whozextest.StallAfterCommit(), whozextest.StallBeforeCommit(),
	} {
		for op, o := range orders {
			t.Run(fault.String()+"/"+string(op), func(t *testing.T) {
				server, s := open(t, whozex.WithTimeout(200*time.Millisecond))
				offer(t, s, o)
				server.Inject(op, fault, 1)
				var taps sync.WaitGroup
				for range 3 {
					taps.Go(func() {
						if err := s.CarryOut(t.Context(), customer, o.ID); err != nil {
							assert.ErrorIs(t, err, shop.ErrTaken)
						}
					})
				}
				taps.Wait()
				switch now := stands(t, s, o.ID); now.State {
				case shop.Done, shop.Paid:
					assert.Equal(t, 1, server.Commits(op))
				case shop.Failed:
					assert.Zero(t, server.Commits(op))
				default:
					assert.Equal(t, shop.InDoubt, now.State)
					assert.True(t, now.Escalated, "an admin looks")
				}
				most := 1
				if fault.String() == whozextest.TooManyRequests("0").String() {
					most = 2
				}
				assert.LessOrEqual(t, server.Requests(op), most)
			})
		}
	}
}

func TestOnePurchaseOfACustomerAtATime(t *testing.T) {
	server, s := open(t, whozex.WithTimeout(time.Minute))
	offer(t, s, shop.Order{ID: "first", GB: 1})
	offer(t, s, shop.Order{ID: "second", GB: 1})
	server.Inject(whozex.OpPurchasePackage, whozextest.StallAfterCommit(), 1)
	ended := make(chan error, 1)
	go func() { ended <- s.CarryOut(t.Context(), customer, "first") }()
	require.Eventually(t, func() bool { return server.Commits(whozex.OpPurchasePackage) == 1 }, 20*time.Second, time.Millisecond)
	assert.ErrorIs(t, s.CarryOut(t.Context(), customer, "second"), shop.ErrBusy)
	assert.Equal(t, shop.Quoted, stands(t, s, "second").State)
	server.Close()
	require.NoError(t, <-ended)
	assert.Equal(t, shop.InDoubt, stands(t, s, "first").State)
}

func TestAnEventOfAnotherPackageIsNotTaken(t *testing.T) {
	_, s := open(t)
	offer(t, s, shop.Order{ID: "one", GB: 20})
	c, err := s.Customer(customer)
	require.NoError(t, err)
	doubt := &whozex.OutcomeUnknownError{Operation: whozex.OpPurchasePackage, ID: c.UserID, SentAt: time.Now()}
	_, err = s.Change(customer, "one", func(_ *shop.Customer, o *shop.Order) error {
		o.State, o.Doubt = shop.Sent, doubt
		return nil
	})
	require.NoError(t, err)
	for name, event := range map[string]struct {
		user string
		gb   int64
		at   time.Time
	}{
		"another user's": {"somebody", 20, time.Now()},
		"another size":   {c.UserID, 5, time.Now()},
		"an older one":   {c.UserID, 20, time.Now().Add(-time.Hour)},
	} {
		created := whozex.PackageCreated{UserID: event.user, PackageID: "PKG-0", GB: decimal.NewFromInt(event.gb)}
		require.NoError(t, s.Heard(t.Context(), created, event.at))
		assert.Empty(t, stands(t, s, "one").Heard, name)
	}
	created := whozex.PackageCreated{UserID: c.UserID, PackageID: "PKG-1", GB: decimal.NewFromInt(20)}
	require.NoError(t, s.Heard(t.Context(), created, time.Now()))
	require.NoError(t, s.Resume(t.Context()))
	require.NoError(t, s.Heard(t.Context(), created, time.Now()))
	assert.Equal(t, shop.Done, stands(t, s, "one").State)
	assert.Equal(t, "PKG-1", stands(t, s, "one").PackageID)
}

func TestAPackageThatNoOrderAccountsForIsForAnAdmin(t *testing.T) {
	_, s := open(t)
	var alarms []string
	s.Alarm = func(_ context.Context, text string) { alarms = append(alarms, text) }
	offer(t, s, shop.Order{ID: "one", GB: 20})
	_, err := s.Change(customer, "one", func(_ *shop.Customer, o *shop.Order) error {
		o.State = shop.Failed // as Reconcile said before the request came through after all
		return nil
	})
	require.NoError(t, err)
	c, err := s.Customer(customer)
	require.NoError(t, err)
	for _, user := range []string{"somebody", c.UserID} {
		require.NoError(t, s.Heard(t.Context(), whozex.PackageCreated{UserID: user, PackageID: "PKG-1", GB: decimal.NewFromInt(20)}, time.Now()))
	}
	require.Len(t, alarms, 1)
	assert.Contains(t, alarms[0], "PKG-1")
	assert.Equal(t, shop.Failed, stands(t, s, "one").State)
}

func TestAPurchaseThatTellsNoPackageWaitsForTheEvent(t *testing.T) {
	server, s := open(t)
	var alarms []string
	s.Alarm = func(_ context.Context, text string) { alarms = append(alarms, text) }
	offer(t, s, shop.Order{ID: "one", GB: 20})
	server.Rename(whozex.OpPurchasePackage, map[string]string{"id": "uuid"})
	require.NoError(t, s.CarryOut(t.Context(), customer, "one"))
	o := stands(t, s, "one")
	assert.Equal(t, shop.Paid, o.State)
	created := whozex.PackageCreated{UserID: o.Doubt.ID, PackageID: "PKG-1", GB: decimal.NewFromInt(20)}
	for range 2 {
		require.NoError(t, s.Heard(t.Context(), created, time.Now()))
	}
	assert.Equal(t, shop.Done, stands(t, s, "one").State)
	assert.Equal(t, "PKG-1", stands(t, s, "one").PackageID)
	assert.Empty(t, alarms)
}

// afterwards calls next once the answer to a request is there, before its reader
// has it.
type afterwards func(*http.Request)

func (next afterwards) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	next(r)
	return resp, err
}

func TestPackagesAreCountedWithNoPurchaseInBetween(t *testing.T) {
	var s *shop.Shop
	var counted atomic.Bool
	server, opened := open(t, whozex.WithHTTPClient(&http.Client{Transport: afterwards(func(r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/users") && counted.CompareAndSwap(false, true) {
			assert.NoError(t, s.CarryOut(t.Context(), customer, "first"))
		}
	})}))
	s = opened
	offer(t, s, shop.Order{ID: "first", GB: 1})
	offer(t, s, shop.Order{ID: "second", GB: 1})
	server.Inject(whozex.OpPurchasePackage, whozextest.TooManyRequests("0"), 1)
	require.ErrorIs(t, s.CarryOut(t.Context(), customer, "second"), shop.ErrBusy)
	assert.Equal(t, shop.Done, stands(t, s, "first").State)
	assert.Equal(t, shop.Quoted, stands(t, s, "second").State)

	server.Inject(whozex.OpPurchasePackage, whozextest.CutBeforeCommit(), 1)
	require.NoError(t, s.CarryOut(t.Context(), customer, "second"))
	assert.NotContains(t, []shop.State{shop.Done, shop.Paid}, stands(t, s, "second").State)
	assert.Equal(t, 1, server.Commits(whozex.OpPurchasePackage))
}
