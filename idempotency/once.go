package idempotency

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// DefaultLease is how long a process may lose contact with the database before its
// pending keys count as abandoned.
const DefaultLease = time.Minute

// Once makes the mutating calls of a [whozex.Client] with idempotency keys. It is
// safe for concurrent use. Processes that use the same keys must use the same
// store.
//
// Before its first mutating call, a process reads the account to learn the
// server's time. Without it, a crash during that call could not be resolved.
//
// Each method takes the key, followed by the parameters of the client's method of
// the same name. The package documentation describes what happens when a key is
// used again. The options [whozex.BeforeSend] and [whozex.CaptureResponse] are
// overridden.
type Once struct {
	client      *whozex.Client
	store       *Store
	replayer    *replayer
	purchases   purchaseQueue
	owner       string      // identifies this process in the store
	clockSynced atomic.Bool // the client knows the server's time
	lease       time.Duration
	otherBuyers bool                           // see WithOtherBuyers
	onSettled   func(context.Context, *Record) // see WithOnSettled
	step        func(Step)                     // see WithStepHook
}

// Option configures a [Once].
type Option func(*Once)

// WithLease sets how long a process may lose contact with the database before its
// pending keys count as abandoned. If d is not positive, it is [DefaultLease]. The
// lease is renewed every d/3 during a call. With a shorter lease a crash is detected
// sooner. If the lease is too short, a slow process may lose its claim and return
// [ErrFenced]; the call is still made at most once.
func WithLease(d time.Duration) Option {
	return func(o *Once) {
		if d > 0 {
			o.lease = d
		}
	}
}

// WithOnSettled sets a function that is called when the outcome of an open key
// becomes known, or the missing result of a purchase, through [Once.Settle],
// [Once.HandleEvent], [Once.Resolve] or another purchase for the user. Use it to
// notify those who wait for the result. The process that resolved the key calls it
// once, after the commit. If the process crashes in between, the call is lost.
func WithOnSettled(settled func(context.Context, *Record)) Option {
	return func(o *Once) { o.onSettled = settled }
}

// WithOtherBuyers declares that packages for the same users are also bought without
// this store, for instance in the panel. A new package then does not prove that a
// purchase succeeded: neither the user's packages nor events resolve a purchase whose
// response was lost. It stays indeterminate until [Once.Resolve], unless the user
// has no new package at all.
func WithOtherBuyers() Option {
	return func(o *Once) { o.otherBuyers = true }
}

// Step is a point in a call, see [WithStepHook].
type Step string

// The steps, in order.
const (
	StepClaim   Step = "claim"   // before the claim is committed
	StepClaimed Step = "claimed" // the claim is committed, before the request is sent
	StepEnded   Step = "ended"   // the call has returned a response or an error
	StepStored  Step = "stored"  // the outcome is committed
)

// WithStepHook sets a function that is called at each step of a call, to test what
// a program does if it is killed there.
func WithStepHook(hook func(Step)) Option {
	return func(o *Once) { o.step = hook }
}

// New returns a Once that sends with client and keeps its keys in store. A store
// must be used with one Whozex account only.
func New(client *whozex.Client, store *Store, opts ...Option) *Once {
	o := &Once{client: client, store: store, replayer: newReplayer(), owner: rand.Text(), lease: DefaultLease,
		onSettled: func(context.Context, *Record) {}, step: func(Step) {}}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// Client returns the client passed to [New], for calls that only read.
func (o *Once) Client() *whozex.Client { return o.client }

// Store returns the store passed to [New].
func (o *Once) Store() *Store { return o.store }

// PurchasePackage calls [whozex.Client.PurchasePackage] once for each key.
//
// The purchases of one user run one at a time over all processes, so that a package
// whose response was lost can be attributed to its key. Within a process they wait
// in a queue. If another process has an open purchase, or a purchase is
// indeterminate, PurchasePackage returns [ErrUserBusy]. If packages for the user are
// also bought without this store, use [WithOtherBuyers].
//
// Before the purchase, the user's packages are counted. That takes one ListUsers
// call, or for the first purchase as many as it takes to find the user.
func (o *Once) PurchasePackage(ctx context.Context, key, userID string, params whozex.PurchasePackageParams, opts ...whozex.CallOption) (*whozex.Package, error) {
	canonical := params
	if canonical.ProxyType == "" {
		canonical.ProxyType = whozex.ProxyResidential
	}
	return do(ctx, o, key, newSpec(whozex.OpPurchasePackage, userID, canonical), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.Package, error) {
			return c.PurchasePackage(ctx, userID, params, opts...)
		}, func(p *whozex.Package, id string) (string, bool) {
			if p.ID == "" {
				p.ID = id
			}
			return p.ID, p.ID != ""
		})
}

// AddGB calls [whozex.Client.AddGB] once for each key. The key is added to the
// note. If the response was lost, the result has only the package's id.
func (o *Once) AddGB(ctx context.Context, key, packageID string, params whozex.AddGBParams, opts ...whozex.CallOption) (*whozex.Package, error) {
	withKey := params
	withKey.Note = noteWithKey(params.Note, key)
	return do(ctx, o, key, newSpec(whozex.OpAddGB, packageID, params), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.Package, error) {
			return c.AddGB(ctx, packageID, withKey, opts...)
		}, func(p *whozex.Package, _ string) (string, bool) {
			if p.ID == "" {
				p.ID = packageID
			}
			return packageID, true
		})
}

// AddBalance calls [whozex.Client.AddBalance] once for each key. The key is added to
// the note. If the response was lost, the result has the user, action and amount;
// balances (in USD) that are not known are zero.
func (o *Once) AddBalance(ctx context.Context, key, userID string, amount decimal.Decimal, note string, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
	return do(ctx, o, key, newSpec(whozex.OpAddBalance, userID, balanceParams{amount.String(), note}), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return c.AddBalance(ctx, userID, amount, noteWithKey(note, key), opts...)
		}, func(*whozex.BalanceChange, string) (string, bool) { return userID, true })
}

// DeductBalance calls [whozex.Client.DeductBalance] once for each key. Note and
// result are as for [Once.AddBalance].
func (o *Once) DeductBalance(ctx context.Context, key, userID string, amount decimal.Decimal, note string, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
	return do(ctx, o, key, newSpec(whozex.OpDeductBalance, userID, balanceParams{amount.String(), note}), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return c.DeductBalance(ctx, userID, amount, noteWithKey(note, key), opts...)
		}, func(*whozex.BalanceChange, string) (string, bool) { return userID, true })
}

type balanceParams struct {
	Amount string `json:"amount"`
	Note   string `json:"note,omitempty"`
}

// CreateUser calls [whozex.Client.CreateUser] once for each key.
func (o *Once) CreateUser(ctx context.Context, key string, params whozex.CreateUserParams, opts ...whozex.CallOption) (*whozex.User, error) {
	return do(ctx, o, key, newSpec(whozex.OpCreateUser, "", params), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.User, error) {
			return c.CreateUser(ctx, params, opts...)
		}, func(u *whozex.User, id string) (string, bool) {
			if u.ID == "" {
				u.ID = id
			}
			return u.ID, u.ID != ""
		})
}

// CreateWebhook calls [whozex.Client.CreateWebhook] once for each key. The store
// contains the webhook's secret. The API has no route that lists webhooks, so if the
// response was lost the key stays indeterminate until [Once.Resolve].
func (o *Once) CreateWebhook(ctx context.Context, key string, params whozex.CreateWebhookParams, opts ...whozex.CallOption) (*whozex.Webhook, error) {
	canonical := params
	canonical.Events = slices.Sorted(slices.Values(params.Events))
	return do(ctx, o, key, newSpec(whozex.OpCreateWebhook, "", canonical), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.Webhook, error) {
			return c.CreateWebhook(ctx, params, opts...)
		}, func(w *whozex.Webhook, id string) (string, bool) {
			if w.ID == "" {
				w.ID = id
			}
			return w.ID, w.ID != "" && w.Secret != ""
		})
}

// spec identifies a call: two calls with the same key must have an equal spec.
type spec struct {
	operation whozex.Operation
	subject   string
	params    string
}

func newSpec(op whozex.Operation, subject string, params any) *spec {
	data, err := json.Marshal(params)
	if err != nil {
		panic(err) // params consist of strings and numbers
	}
	return &spec{operation: op, subject: subject, params: string(data)}
}

func (s *spec) matches(r *Record) bool {
	return r.Operation == s.operation && r.SubjectID == s.subject && r.params == s.params
}
