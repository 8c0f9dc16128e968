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

// The states of an operation. It leaves quoted once, before the call is made; what
// comes then is that of its idempotency key.
const (
	quoted  = "quoted"
	sending = "sending"
	done    = "done"
	refused = "refused" // nothing was carried out
	unknown = "unknown"
)

// quoteTTL bounds how long a quote can be confirmed, and quotes how many wait.
const (
	quoteTTL = 10 * time.Minute
	quotes   = 1000
)

var (
	errNoOperation = errors.New("no such operation")
	errForeign     = errors.New("token or session of another form")
)

// operation is one mutating call, from its quote to its outcome.
type operation struct {
	ID     string // the idempotency key
	State  string
	Kind   string // one of kinds; empty for what another program does by the same file
	User   whozex.User
	Amount decimal.Decimal // what it costs who pays
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
	Problem                     string         // as the call reported it
	Verdict                     whozex.Verdict // if it is not by the response
	Reason                      string
	Traces                      []string
	NotBefore                   time.Time

	token, session string
	settled        chan struct{}
}

// Token is for the form of the one whose quote it is.
func (o operation) Token() string { return o.token }

// operations hands out one-time tokens and remembers what was shown of each.
type operations struct {
	mu  sync.Mutex
	all map[string]*operation
}

// quote remembers op and gives it id and token.
func (o *operations) quote(op operation, session string) operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget()
	op.State, op.QuotedAt = quoted, time.Now()
	op.session, op.token, op.settled = session, rand.Text(), make(chan struct{})
	o.all[op.ID] = &op
	return op
}

// forget drops quotes that nobody confirmed: the stale, and the oldest of too many.
func (o *operations) forget() {
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
	if len(open) >= quotes {
		delete(o.all, slices.MinFunc(open, func(a, b *operation) int { return a.QuotedAt.Compare(b.QuotedAt) }).ID)
	}
}

// begin uses up the token. Only the first gets true; all others wait for settled.
func (o *operations) begin(id, token, session string) (operation, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	op := o.all[id]
	if op == nil || op.State == quoted && time.Since(op.QuotedAt) > quoteTTL {
		return operation{}, false, errNoOperation
	}
	if op.State != quoted { // nothing is done, so whoever asks is led to what was
		return *op, false, nil
	}
	if session == "" || !same(op.token, token) || !same(op.session, session) {
		return operation{}, false, errForeign
	}
	op.State, op.SentAt = sending, time.Now()
	return *op, true, nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// remember keeps what is shown of op.
func (o *operations) remember(op operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all[op.ID] = &op
}

// finish remembers what became of op, and wakes who waits for it.
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
