package idempotency_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// world is a test fixture: a fake server, a user with a balance of $1000 and one
// package, and a database.
type world struct {
	t      *testing.T
	server *whozextest.Server
	opts   []whozex.Option // options of all clients
	user   string
	pkg    string
	source string
}

func newWorld(t *testing.T, opts ...whozex.Option) *world {
	t.Helper()
	var age atomic.Int64
	age.Store(int64(30 * time.Hour)) // else Reconcile could take this purchase for that of a test
	server := whozextest.NewServer(whozextest.WithBalance(dec("100000")),
		whozextest.WithClock(func() time.Time { return time.Now().Add(-time.Duration(age.Load())) }))
	t.Cleanup(server.Close)
	w := &world{t: t, server: server, source: "sqlite:" + filepath.Join(t.TempDir(), "orders.db")}
	w.opts = append([]whozex.Option{
		whozex.WithGrace(0), whozex.WithBackoff(time.Millisecond, time.Millisecond), whozex.WithTimeout(time.Minute),
	}, opts...)
	var err error
	w.user, err = server.AddUser("john@example.com", "John")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(w.user, dec("1000")))
	bought, err := server.Client().PurchasePackage(t.Context(), w.user, whozex.PurchasePackageParams{GB: 1})
	require.NoError(t, err)
	w.pkg = bought.ID
	age.Store(0)
	_, err = server.Client().AddBalance(t.Context(), w.user, dec("1"), "sets the clients' clock")
	require.NoError(t, err)
	return w
}

// open opens the database with another client, as another process would. The test
// closes it.
func (w *world) open(opts ...idempotency.Option) *idempotency.Once {
	w.t.Helper()
	return w.openWith(nil, opts...)
}

func (w *world) openWith(client []whozex.Option, opts ...idempotency.Option) *idempotency.Once {
	w.t.Helper()
	store, err := idempotency.Open(w.t.Context(), w.source)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, store.Close()) })
	return idempotency.New(w.server.Client(slices.Concat(w.opts, client)...), store, opts...)
}

func (w *world) calls() calls { return callsOf(w.t.Context(), w.user, w.pkg) }

// calls has a function for each operation, which returns the id of the result.
type calls = map[whozex.Operation]func(once *idempotency.Once, key string) (id string, err error)

func callsOf(ctx context.Context, user, pkg string) calls {
	return map[whozex.Operation]func(*idempotency.Once, string) (string, error){
		whozex.OpPurchasePackage: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.PurchasePackage(ctx, key, user, whozex.PurchasePackageParams{GB: 20}))(func(p *whozex.Package) string { return p.ID })
		},
		whozex.OpAddGB: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.AddGB(ctx, key, pkg, whozex.AddGBParams{GB: 5}))(func(p *whozex.Package) string { return p.ID })
		},
		whozex.OpAddBalance: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.AddBalance(ctx, key, user, dec("7.50"), ""))(func(c *whozex.BalanceChange) string { return c.UserID })
		},
		whozex.OpDeductBalance: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.DeductBalance(ctx, key, user, dec("2"), "refund"))(func(c *whozex.BalanceChange) string { return c.UserID })
		},
		whozex.OpCreateUser: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.CreateUser(ctx, key, whozex.CreateUserParams{Email: key + "@example.com"}))(func(u *whozex.User) string { return u.ID })
		},
		whozex.OpCreateWebhook: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.CreateWebhook(ctx, key, whozex.CreateWebhookParams{URL: "https://example.com/" + key, Events: []string{whozex.EventPackageCreated}}))(
				func(h *whozex.Webhook) string { return h.ID })
		},
	}
}

// expireLeases ends all leases, as waiting for a minute would.
func expireLeases(t *testing.T, once *idempotency.Once) {
	t.Helper()
	_, err := once.Store().Database().ExecContext(t.Context(), `UPDATE whozex_operations SET lease_until = 0`)
	require.NoError(t, err)
}

func idOf[T any](result *T, err error) func(func(*T) string) (string, error) {
	return func(id func(*T) string) (string, error) {
		if result == nil {
			return "", err
		}
		return id(result), err
	}
}

// setupCalls counts the calls that newWorld makes.
var setupCalls = map[whozex.Operation]int{whozex.OpPurchasePackage: 1, whozex.OpAddBalance: 1}

func (w *world) commits(op whozex.Operation) int { return w.server.Commits(op) - setupCalls[op] }

func (w *world) requests(op whozex.Operation) int { return w.server.Requests(op) - setupCalls[op] }
