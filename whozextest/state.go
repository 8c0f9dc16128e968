package whozextest

import (
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// Errors of the methods that change a server's state.
var (
	// ErrUnknown is a user or package that the server does not have.
	ErrUnknown = errors.New("whozextest: unknown id")
	// ErrEmail is an invalid email, or one that is taken.
	ErrEmail = errors.New("whozextest: email invalid or taken")
	// ErrAmount is a negative balance, or GB that a package cannot use.
	ErrAmount = errors.New("whozextest: amount out of range")
)

func (s *Server) seed() {
	s.adjust(LedgerReseller, decimal.Zero, s.settings.balance)
	for i := range s.settings.users {
		s.users.add(fmt.Sprintf("user%d@example.com", i+1), fmt.Sprintf("User %d", i+1), s.now())
	}
}

// SetBalance sets the reseller's balance, with money from or to the outside.
func (s *Server) SetBalance(balance decimal.Decimal) error {
	if balance.IsNegative() {
		return ErrAmount
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adjust(LedgerReseller, s.account.balance, balance)
	return nil
}

// SetUserBalance sets a sub-user's balance, with money from or to the outside.
func (s *Server) SetUserBalance(userID string, balance decimal.Decimal) error {
	if balance.IsNegative() {
		return ErrAmount
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users.byID[userID]
	if u == nil {
		return ErrUnknown
	}
	s.adjust(userID, u.balance, balance)
	return nil
}

// AddUser adds a sub-user without a balance and returns the id. An empty name is
// the email's prefix.
func (s *Server) AddUser(email, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !validEmail(email) || s.users.taken(email) {
		return "", ErrEmail
	}
	return s.users.add(email, name, s.now()).id, nil
}

// RemoveUser removes a sub-user and the user's packages. The balance goes
// outside, the transactions stay.
func (s *Server) RemoveUser(userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users.byID[userID]
	if u == nil {
		return ErrUnknown
	}
	s.adjust(userID, u.balance, decimal.Zero)
	for _, id := range u.packages {
		delete(s.packages, id)
	}
	s.users.remove(u)
	return nil
}

// UseGB uses up gb of a package's traffic, as its customer would.
func (s *Server) UseGB(packageID string, gb decimal.Decimal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.packages[packageID]
	switch {
	case p == nil:
		return ErrUnknown
	case !gb.IsPositive() || gb.GreaterThan(p.remaining()):
		return ErrAmount
	}
	wasLow := p.low()
	p.used = p.used.Add(gb)
	p.usage = append(p.usage, usedGB{at: s.now(), gb: gb})
	if p.low() && !wasLow {
		s.emit(whozex.EventPackageLowGB, lowGBData{UserID: p.owner.id, PackageID: p.id, TotalGB: quantity(p.total), RemainingGB: quantity(p.remaining())})
	}
	return nil
}

// SetAPIDisabled switches the account's API access off, or on again.
func (s *Server) SetAPIDisabled(disabled bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disabled = disabled
}

// Balance returns the reseller's balance.
func (s *Server) Balance() decimal.Decimal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.balance
}

// UserBalance returns a sub-user's balance, and whether there is such a user.
func (s *Server) UserBalance(userID string) (decimal.Decimal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users.byID[userID]
	if u == nil {
		return decimal.Decimal{}, false
	}
	return u.balance, true
}
