package idempotency_test

import (
	"path/filepath"
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

// world is an account on the sandbox, with a user who has $1000 and a package.
type world struct {
	t      *testing.T
	server *whozextest.Server
	client *whozex.Client
	user   string
	pkg    string
	source string
}

func newWorld(t *testing.T, opts ...whozex.Option) *world {
	t.Helper()
	server := whozextest.NewServer(whozextest.WithBalance(dec("100000")))
	t.Cleanup(server.Close)
	w := &world{t: t, server: server, source: "sqlite:" + filepath.Join(t.TempDir(), "orders.db")}
	w.client = server.Client(append([]whozex.Option{
		whozex.WithGrace(0), whozex.WithBackoff(time.Millisecond, time.Millisecond), whozex.WithTimeout(300 * time.Millisecond),
	}, opts...)...)
	var err error
	w.user, err = server.AddUser("john@example.com", "John")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(w.user, dec("1000")))
	bought, err := server.Client().PurchasePackage(t.Context(), w.user, whozex.PurchasePackageParams{GB: 1})
	require.NoError(t, err)
	w.pkg = bought.ID
	return w
}

// open is a process on the store; it ends with the test.
func (w *world) open(opts ...idempotency.Option) *idempotency.Once {
	w.t.Helper()
	store, err := idempotency.Open(w.t.Context(), w.source)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, store.Close()) })
	return idempotency.New(w.client, store, opts...)
}

// calls are the operations, each with the id of its result.
func (w *world) calls() map[whozex.Operation]func(once *idempotency.Once, key string) (id string, err error) {
	ctx := w.t.Context()
	return map[whozex.Operation]func(*idempotency.Once, string) (string, error){
		whozex.OpPurchasePackage: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.PurchasePackage(ctx, key, w.user, whozex.PurchasePackageParams{GB: 20}))(func(p *whozex.Package) string { return p.ID })
		},
		whozex.OpAddGB: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.AddGB(ctx, key, w.pkg, whozex.AddGBParams{GB: 5}))(func(p *whozex.Package) string { return p.ID })
		},
		whozex.OpAddBalance: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.AddBalance(ctx, key, w.user, dec("7.50"), ""))(func(c *whozex.BalanceChange) string { return c.UserID })
		},
		whozex.OpDeductBalance: func(once *idempotency.Once, key string) (string, error) {
			return idOf(once.DeductBalance(ctx, key, w.user, dec("2"), "refund"))(func(c *whozex.BalanceChange) string { return c.UserID })
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

func idOf[T any](result *T, err error) func(func(*T) string) (string, error) {
	return func(id func(*T) string) (string, error) {
		if result == nil {
			return "", err
		}
		return id(result), err
	}
}

// before is what the sandbox had carried out when the world was made.
var before = map[whozex.Operation]int{whozex.OpPurchasePackage: 1}

func (w *world) commits(op whozex.Operation) int { return w.server.Commits(op) - before[op] }
