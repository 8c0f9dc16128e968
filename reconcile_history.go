package whozex

import (
	"context"
	"time"
)

// history is the account's transactions, as far as they were read.
type history struct {
	*listing
	entries []entry
	ages    itemAges
	window  window
}

// history reads all transactions.
func (c *Client) history(ctx context.Context, unknown *OutcomeUnknownError, decoded map[string]entry) (*history, error) {
	l, err := c.readWhole(ctx, OpListTransactions, "/account/transactions")
	if err != nil {
		return nil, err
	}
	h := &history{listing: l, ages: itemAges{now: l.latest}, window: c.window(unknown, l)}
	if l.gap == "" && l.now.IsZero() {
		l.gap = "the server does not say its time"
	}
	for _, item := range l.items {
		e, known := decoded[string(item)]
		if !known {
			e = newEntry(item)
			decoded[string(item)] = e
		}
		if (!e.readable || e.CreatedAt.IsZero() || !e.Amount.Valid) && l.gap == "" {
			l.gap = "there are transactions whose fields cannot be read: look at the history"
		}
		h.ages.add(string(e.Type), e.CreatedAt)
		h.entries = append(h.entries, e)
	}
	return h, nil
}

const (
	// A history without an entry from before the call must be this short, and the call
	// this recent: otherwise the call's entry may have been dropped from its end.
	shortHistory = 20
	recentCall   = 24 * time.Hour
	// currentHistory is the age of the newest entry of a type up to which its clock
	// counts as that of the server, to decide whether entries were dropped.
	currentHistory = 5 * time.Minute
)

// whyIncomplete returns why a missing entry proves nothing; empty if it does. A server may
// keep the latest entries only, so the history needs one from before the call.
func (h *history) whyIncomplete() string {
	if h.gap != "" {
		return h.gap
	}
	for _, e := range h.entries {
		lively := !h.window.earliest.IsZero() && h.ages.behind(h.ages.newest[string(e.Type)]) < currentHistory
		if h.ages.tooOld(string(e.Type), e.CreatedAt, h.window) || lively && e.CreatedAt.Before(h.window.sent) {
			return ""
		}
	}
	if h.window.known && len(h.entries) < shortHistory && h.window.from.Add(recentCall).After(h.now) {
		return ""
	}
	return "the history may not reach back to the call: look for it there"
}

// mismatch returns why an entry that may be the call's does not prove that the call was
// carried out; empty if it does.
func (h *history) mismatch(e *entry, asked callDetails) string {
	for _, f := range e.fields {
		if !e.isHarmless(f, asked) {
			return "its field " + f.name + " is not understood, or says that it did not count"
		}
	}
	amount := e.Amount.Decimal
	switch asked.op {
	case OpAddBalance, OpDeductBalance:
		wanted := asked.Amount.Decimal
		if asked.op == OpDeductBalance {
			wanted = wanted.Neg()
		}
		if e.Type != TransactionDeposit {
			return "it is of another type"
		}
		if !amount.Equal(wanted) {
			return "it has another amount"
		}
	case OpAddGB, OpPurchasePackage:
		wanted := TransactionPurchase
		if asked.op == OpAddGB {
			wanted = TransactionAddGB
		}
		if e.Type != wanted {
			return "it is of another type"
		}
		if !amount.IsNegative() {
			return "it took nothing from a balance"
		}
	}
	switch {
	case e.Note != asked.Note:
		return "it has another note"
	case h.ages.mixed:
		return "the times of the history and of the server do not agree"
	case !h.window.holds(e.CreatedAt):
		return "it is of another time"
	}
	for i := range h.entries {
		if other := &h.entries[i]; other != e && h.mayReverse(other, e) {
			return "another transaction may take it back"
		}
	}
	return ""
}

// mayReverse reports whether other may be the reversal of e, whose time agrees with the
// server's. Its note does not matter: a reversal may have any.
func (h *history) mayReverse(other, e *entry) bool {
	kind := string(other.Type)
	// The clock cannot have been set back since by more than the age of the newest entry.
	before := other.Type == e.Type && latest(other.CreatedAt).Add(h.ages.behind(h.ages.newest[kind])+clockSlack).Before(e.CreatedAt)
	if before || h.ages.tooOld(kind, other.CreatedAt, h.window) {
		return false
	}
	sameID := e.ID != "" && other.ID == e.ID
	return sameID || other.Amount.Decimal.Equal(e.Amount.Decimal.Neg()) || other.refersTo(e.ID)
}
