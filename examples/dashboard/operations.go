package main

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// The states of an operation. It leaves quoted once, before the call is made; after that
// its state follows from the record of its idempotency key.
const (
	quoted  = "quoted"
	sending = "sending"
	done    = "done"
	refused = "refused" // the call had no effect
	unknown = "unknown"
)

// quoteTTL is how long a quote can be confirmed, maxQuotes how many are kept.
const (
	quoteTTL  = 10 * time.Minute
	maxQuotes = 1000
)

var (
	errNoOperation = errors.New("no such operation")
	errForeign     = errors.New("token or session of another form")
)

// operation is one mutating call, from its quote to its outcome.
type operation struct {
	ID     string // the idempotency key
	State  string
	Kind   string // one of kinds; empty for a call of another program in the same file
	User   whozex.User
	Amount decimal.Decimal // what the payer pays
	Note   string          // of a top-up or deduction

	Into       string // the package that gets GB
	GB         int
	ProxyType  whozex.ProxyType
	PricePerGB decimal.Decimal

	PayerBefore, PayerAfter decimal.Decimal
	UserAfter               decimal.Decimal
	ResellerAfter           decimal.Decimal // of a deduction, which the user pays
	Short                   bool            // the payer cannot pay

	QuotedAt, SentAt, SettledAt time.Time
	PackageID                   string
	Problem                     string         // the call's error
	Verdict                     whozex.Verdict // unless the response is the evidence
	Reason                      string
	Transactions                []string // found by Reconcile, if the outcome is unknown
	NotBefore                   time.Time

	token, session string
	settled        chan struct{}
}

// Token is the form's one-time token; empty in other browsers.
func (o operation) Token() string { return o.token }

// operations issues one-time tokens and remembers each operation.
type operations struct {
	mu  sync.Mutex
	all map[string]*operation
}

// quote stores op as a quote with a token for the session.
func (o *operations) quote(op operation, session string) operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.evict()
	op.State, op.QuotedAt = quoted, time.Now()
	op.session, op.token, op.settled = session, rand.Text(), make(chan struct{})
	o.all[op.ID] = &op
	return op
}

// evict drops unconfirmed quotes: those that have expired, and the oldest if there are
// too many.
func (o *operations) evict() {
	var open []*operation
	for id, op := range o.all {
		switch {
		case op.State != quoted:
		case time.Since(op.QuotedAt) > quoteTTL:
			delete(o.all, id)
		default:
			open = append(open, op)
		}
	}
	if len(open) >= maxQuotes {
		delete(o.all, slices.MinFunc(open, func(a, b *operation) int { return a.QuotedAt.Compare(b.QuotedAt) }).ID)
	}
}

// begin consumes the token. Only the first caller gets true; others wait for settled.
func (o *operations) begin(id, token, session string) (operation, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op := o.all[id]
	if op == nil || op.State == quoted && time.Since(op.QuotedAt) > quoteTTL {
		return operation{}, false, errNoOperation
	}
	if op.State != quoted { // already confirmed: return it whatever the token
		return *op, false, nil
	}
	if session == "" || !same(op.token, token) || !same(op.session, session) {
		return operation{}, false, errForeign
	}
	op.State, op.SentAt = sending, time.Now()
	return *op, true, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// remember stores op.
func (o *operations) remember(op operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[op.ID] = &op
}

// finish stores the outcome of op and wakes the requests that wait for it.
func (o *operations) finish(op operation) {
	o.remember(op)
	close(op.settled)
}

func (o *operations) get(id string) (operation, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op := o.all[id]
	if op == nil || op.State == quoted && time.Since(op.QuotedAt) > quoteTTL {
		return operation{}, false
	}
	return *op, true
}
