package whozextest

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// The accounts of the ledger that are not a sub-user's id.
const (
	// LedgerOutside is the source of money that a test adds, and the destination of
	// money that a test removes.
	LedgerOutside = "outside"
	// LedgerReseller is the reseller's balance.
	LedgerReseller = "reseller"
	// LedgerSpent receives the cost of packages and GB.
	LedgerSpent = "spent"
)

// Entry is one movement of money.
type Entry struct {
	// Seq counts the movements from 1.
	Seq int
	At  time.Time
	// Request is the Seq of the [Request] that moved the money, 0 for a method
	// of [Server].
	Request int
	// From and To are [LedgerOutside], [LedgerReseller], [LedgerSpent] or the id
	// of a sub-user.
	From, To string
	// Amount is above zero.
	Amount decimal.Decimal
	// PackageID is that of the package paid for, if one was.
	PackageID string
	Note      string
}

// Totals are the sums of the ledger. Reseller, Users and Spent together always equal
// Outside.
type Totals struct {
	Reseller, Users, Spent decimal.Decimal
	// Outside is the money added by tests, less the money removed.
	Outside decimal.Decimal
}

type ledger struct {
	entries               []Entry
	users, spent, outside decimal.Decimal
}

// move moves money between two accounts and records it, unless the amount is 0. It is the
// only place where a balance changes.
func (s *Server) move(e Entry) {
	if e.Amount.IsZero() {
		return
	}
	e.Seq, e.At = len(s.ledger.entries)+1, s.now()
	s.book(e.From, e.Amount.Neg())
	s.book(e.To, e.Amount)
	s.ledger.entries = append(s.ledger.entries, e)
}

func (s *Server) book(name string, change decimal.Decimal) {
	switch name {
	case LedgerOutside:
		s.ledger.outside = s.ledger.outside.Sub(change)
	case LedgerReseller:
		s.account.balance = s.account.balance.Add(change)
	case LedgerSpent:
		s.ledger.spent = s.ledger.spent.Add(change)
	default:
		u := s.users.byID[name]
		u.balance = u.balance.Add(change)
		s.ledger.users = s.ledger.users.Add(change)
	}
}

// adjust sets a balance with money from or to the outside.
func (s *Server) adjust(name string, from, to decimal.Decimal) {
	if change := to.Sub(from); change.IsNegative() {
		s.move(Entry{From: name, To: LedgerOutside, Amount: change.Neg()})
	} else {
		s.move(Entry{From: LedgerOutside, To: name, Amount: change})
	}
}

// Ledger returns a copy of all movements of money, oldest first.
func (s *Server) Ledger() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger.entries)
}

// Totals returns the sums of the money.
func (s *Server) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Totals{Reseller: s.account.balance, Users: s.ledger.users, Spent: s.ledger.spent, Outside: s.ledger.outside}
}
