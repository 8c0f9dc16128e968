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

// DefaultLease is how long a process may be out of touch with the database
// before its pending keys are taken for abandoned.
const DefaultLease = time.Minute

// Once makes the mutating calls of a [whozex.Client] by idempotency keys. It is
// safe for concurrent use. Every process that writes with the same keys needs one
// on the same store.
//
// Before the first call a process reads the account, if it did not read anything
// else: without the server's time a crash in that call could not be settled.
//
// Each method takes the key first, and then what the client's method of that name
// takes. See the package's documentation for what happens when a key comes again.
// Of the options [whozex.BeforeSend] and [whozex.CaptureResponse] are replaced.
type Once struct {
	client *whozex.Client
	store  *Store
	stored *replayer
	buyers queue
	owner  string
	timed  atomic.Bool // the client has seen the server's time
	lease  time.Duration
	shared bool                           // others buy for the same users
	news   func(context.Context, *Record) // see WithOnSettled
	step   func(Step)                     // of tests
}

// Option changes what [New] returns.
type Option func(*Once)

// WithLease sets how long a process may be out of touch with the database before
// its pending keys are taken for abandoned; [DefaultLease] if not positive. It is
// renewed every third of that while a call goes on. A shorter one finds a crash
// sooner; one that is too short costs a slow process its claim, and never money.
func WithLease(d time.Duration) Option {
	return func(o *Once) {
		if d > 0 {
			o.lease = d
		}
	}
}

// WithOnSettled has settled called when an open key has come to an end, or its
// result is known at last, by [Once.Settle], [Once.HandleEvent], [Once.Resolve] or a
// purchase of another key: to let whoever waits for it know. It is called after the
// commit, once, by the process that found out; a crash in between loses that.
func WithOnSettled(settled func(context.Context, *Record)) Option {
	return func(o *Once) { o.news = settled }
}

// WithOtherBuyers says that others buy packages for the same users without this
// store, such as a person at the panel. Then a package that turns up proves nothing:
// a purchase whose response was lost is not attributed by its user's packages nor by
// events, and stays indeterminate until [Once.Resolve], unless no purchase was made
// at all.
func WithOtherBuyers() Option {
	return func(o *Once) { o.shared = true }
}

// Step is a moment in a call, see [WithStepHook].
type Step string

// The steps, in order.
const (
	StepClaim   Step = "claim"   // the row is about to be committed
	StepClaimed Step = "claimed" // it is committed, and the request about to leave
	StepEnded   Step = "ended"   // the request has ended, however
	StepStored  Step = "stored"  // how it ended is committed
)

// WithStepHook calls hook at each step of a call, to test what a program does if
// it is killed just then.
func WithStepHook(hook func(Step)) Option {
	return func(o *Once) { o.step = hook }
}

// New returns a Once that sends by client and remembers in store. The client must
// be of the account that the store was written for.
func New(client *whozex.Client, store *Store, opts ...Option) *Once {
	o := &Once{client: client, store: store, stored: newReplayer(), owner: rand.Text(), lease: DefaultLease,
		news: func(context.Context, *Record) {}, step: func(Step) {}}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// Client is the client that it was made with, for reading calls.
func (o *Once) Client() *whozex.Client { return o.client }

// Store is the store that it was made with.
func (o *Once) Store() *Store { return o.store }

// PurchasePackage is [whozex.Client.PurchasePackage], once for each key.
//
// Purchases of one user run one at a time, over all processes: only then can a
// package whose response was lost be attributed to its key. Within a process they
// queue; if another process has one open, or one is indeterminate, this is
// [ErrUserBusy]. Whoever buys for the user without this store breaks that, see
// [WithOtherBuyers].
//
// The user's packages are counted first, which costs a reading call, or as many as
// it takes to find the user when it is the first purchase.
func (o *Once) PurchasePackage(ctx context.Context, key, userID string, params whozex.PurchasePackageParams, opts ...whozex.CallOption) (*whozex.Package, error) {
	same := params
	if same.ProxyType == "" {
		same.ProxyType = whozex.ProxyResidential
	}
	return do(ctx, o, key, newSpec(whozex.OpPurchasePackage, userID, same), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.Package, error) {
			return c.PurchasePackage(ctx, userID, params, opts...)
		}, func(p *whozex.Package, id string) (string, bool) {
			if p.ID == "" {
				p.ID = id
			}
			return p.ID, p.ID != ""
		})
}

// AddGB is [whozex.Client.AddGB], once for each key, which goes into the note. If
// the response was lost the result holds the package's id alone.
func (o *Once) AddGB(ctx context.Context, key, packageID string, params whozex.AddGBParams, opts ...whozex.CallOption) (*whozex.Package, error) {
	noted := params
	noted.Note = noteOf(params.Note, key)
	return do(ctx, o, key, newSpec(whozex.OpAddGB, packageID, params), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.Package, error) {
			return c.AddGB(ctx, packageID, noted, opts...)
		}, func(p *whozex.Package, _ string) (string, bool) {
			if p.ID == "" {
				p.ID = packageID
			}
			return packageID, true
		})
}

// AddBalance is [whozex.Client.AddBalance], once for each key, which goes into the
// note. If the response was lost the result holds user, action and amount, and
// the balances are zero where they are not known.
func (o *Once) AddBalance(ctx context.Context, key, userID string, amount decimal.Decimal, note string, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
	return do(ctx, o, key, newSpec(whozex.OpAddBalance, userID, balanceParams{amount.String(), note}), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return c.AddBalance(ctx, userID, amount, noteOf(note, key), opts...)
		}, func(*whozex.BalanceChange, string) (string, bool) { return userID, true })
}

// DeductBalance is [whozex.Client.DeductBalance], as [Once.AddBalance].
func (o *Once) DeductBalance(ctx context.Context, key, userID string, amount decimal.Decimal, note string, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
	return do(ctx, o, key, newSpec(whozex.OpDeductBalance, userID, balanceParams{amount.String(), note}), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return c.DeductBalance(ctx, userID, amount, noteOf(note, key), opts...)
		}, func(*whozex.BalanceChange, string) (string, bool) { return userID, true })
}

type balanceParams struct {
	Amount string `json:"amount"`
	Note   string `json:"note,omitempty"`
}

// CreateUser is [whozex.Client.CreateUser], once for each key.
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

// CreateWebhook is [whozex.Client.CreateWebhook], once for each key. The secret is
// in the store. Nothing in the API tells what became of a webhook whose response
// was lost: it stays indeterminate for [Once.Resolve].
func (o *Once) CreateWebhook(ctx context.Context, key string, params whozex.CreateWebhookParams, opts ...whozex.CallOption) (*whozex.Webhook, error) {
	same := params
	same.Events = slices.Sorted(slices.Values(params.Events))
	return do(ctx, o, key, newSpec(whozex.OpCreateWebhook, "", same), opts,
		func(ctx context.Context, c *whozex.Client, opts ...whozex.CallOption) (*whozex.Webhook, error) {
			return c.CreateWebhook(ctx, params, opts...)
		}, func(w *whozex.Webhook, id string) (string, bool) {
			if w.ID == "" {
				w.ID = id
			}
			return w.ID, w.ID != "" && w.Secret != ""
		})
}

// spec is what makes two calls of a key the same.
type spec struct {
	operation whozex.Operation
	subject   string
	params    string
}

func newSpec(op whozex.Operation, subject string, params any) *spec {
	data, err := json.Marshal(params)
	if err != nil {
		panic(err) // strings and numbers
	}
	return &spec{op, subject, string(data)}
}

func (s *spec) of(r *Record) bool {
	return r.Operation == s.operation && r.SubjectID == s.subject && r.params == s.params
}
