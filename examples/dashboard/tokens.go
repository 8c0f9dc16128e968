package main

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// The states of an operation. It leaves quoted once, before the call is made.
const (
	quoted  = "quoted"
	sending = "sending"
	done    = "done"
	refused = "refused" // nothing was spent
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

// operation is one top-up or purchase, from its quote to its outcome.
type operation struct {
	ID     string
	State  string
	Kind   string // "top-up" or "purchase"
	User   whozex.User
	Amount decimal.Decimal // what it costs who pays
	Note   string          // of a top-up; unique, so that Reconcile can find it

	GB         int
	ProxyType  whozex.ProxyType
	PricePerGB decimal.Decimal

	PayerBefore, PayerAfter decimal.Decimal
	UserAfter               decimal.Decimal
	Short                   bool // the payer cannot pay

	QuotedAt, SentAt, SettledAt time.Time
	PackageID                   string
	Problem                     string
	Unknown                     *whozex.OutcomeUnknownError // from before the call on, what Reconcile needs
	Verdict                     whozex.Verdict
	Reason                      string
	Traces                      []string
	NotBefore                   time.Time

	token, session string
	settled        chan struct{}
}

// Token is for the form of the one whose quote it is.
func (o operation) Token() string { return o.token }

// What says in words what is done.
func (o operation) What() string {
	if o.Kind == "purchase" {
		return fmt.Sprintf("%d GB %s for %s", o.GB, o.ProxyType, o.User.Name)
	}
	return fmt.Sprintf("%s to %s", usd(o.Amount), o.User.Name)
}

// operations hands out one-time tokens and remembers what became of each.
type operations struct {
	mu    sync.Mutex
	all   map[string]*operation
	store *store
}

func newOperations(s *store) (*operations, error) {
	o := &operations{all: map[string]*operation{}, store: s}
	err := each(s, "operations", func(op operation) {
		if op.State == sending { // the program ended before the answer came
			op.State, op.Problem = unknown, "the dashboard was stopped before an answer came"
			if op.Unknown == nil {
				op.State, op.Problem = refused, "The dashboard was stopped before anything was sent."
			}
		}
		op.settled = make(chan struct{})
		close(op.settled)
		o.all[op.ID] = &op
	})
	return o, err
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
	started := *op
	started.State, started.SentAt = sending, time.Now()
	if err := o.store.put("operations", id, started); err != nil {
		return operation{}, false, err
	}
	*op = started
	return started, true, nil
}

// leave writes down that a call is about to leave, and how to settle it if the
// program ends before its answer comes.
func (o *operations) leave(op *operation) whozex.CallOption {
	return whozex.BeforeSend(func(doubt *whozex.OutcomeUnknownError) error {
		op.Unknown = doubt
		return o.store.put("operations", op.ID, op)
	})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// finish writes down what became of op, and wakes who waits for it. What is known
// is never unknown again, whichever of two looks at the account ends last.
func (o *operations) finish(op operation) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.all[op.ID].State
	if before == done || before == refused {
		return nil
	}
	op.SettledAt = time.Now()
	o.all[op.ID] = &op
	err := o.store.put("operations", op.ID, op)
	if before == sending {
		close(op.settled)
	}
	return err
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

// inDoubt lists the unknown outcomes, newest first.
func (o *operations) inDoubt() []operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	var doubts []operation
	for _, op := range o.all {
		if op.State == unknown {
			doubts = append(doubts, *op)
		}
	}
	slices.SortFunc(doubts, func(a, b operation) int {
		return cmp.Or(b.SentAt.Compare(a.SentAt), cmp.Compare(a.ID, b.ID))
	})
	return doubts
}
