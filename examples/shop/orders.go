package shop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// CarryOut makes the call of an order, once, however often it is asked to, and
// has the asker told how it stands. What ends ctx does not end a call that is
// under way. An error means that no money was spent by this call.
func (s *Shop) CarryOut(ctx context.Context, id int64, orderID string) error {
	s.running.Add(1)
	defer s.running.Done()
	ctx = context.WithoutCancel(ctx)
	c, err := s.Customer(id)
	if err != nil {
		return err
	}
	o := c.Orders[orderID]
	switch {
	case o == nil:
		return ErrNoOrder
	case o.State != Quoted:
		s.Tell(ctx, o)
		return nil
	case !o.TopUp() && c.buying():
		return ErrBusy
	}
	var packagesBefore *int
	if !o.TopUp() {
		if packagesBefore, err = s.beforePurchase(ctx, c, o); err != nil {
			return err
		}
	}
	left, sentBefore := false, c.sent()
	claim := whozex.BeforeSend(func(doubt *whozex.OutcomeUnknownError) error {
		doubt.PackagesBefore = packagesBefore
		_, err := s.Change(id, orderID, func(c *Customer, o *Order) error {
			switch {
			case left: // and refused by a 429: it is sent again
			case o.State != Quoted:
				return ErrTaken
			case !o.TopUp() && c.sent() != sentBefore:
				return ErrBusy // the packages may have been counted before or after it
			}
			o.State, o.Doubt = Sent, doubt
			return nil
		})
		left = left || err == nil
		return err
	})
	bought := new(whozex.Package)
	if o.TopUp() {
		_, err = s.API.AddBalance(ctx, c.UserID, o.Amount, o.ID, claim)
	} else {
		bought, err = s.API.PurchasePackage(ctx, c.UserID, whozex.PurchasePackageParams{GB: o.GB, ProxyType: o.ProxyType}, claim)
	}
	if !left {
		return err
	}
	return s.conclude(ctx, c, orderID, bought, err)
}

// beforePurchase counts the buyer's packages, which Reconcile needs, and refuses
// what is no longer sold at the price that was quoted.
func (s *Shop) beforePurchase(ctx context.Context, c Customer, o *Order) (packages *int, err error) {
	quote, err := s.API.CalculatePrice(ctx, o.GB)
	if err != nil {
		return nil, err
	}
	if !quote.Total.Equal(o.Price) {
		return nil, Refusal(fmt.Sprintf("The price is $%s now, not $%s: please order again.", quote.Total.StringFixed(2), o.Price.StringFixed(2)))
	}
	user, err := s.User(ctx, c.Email)
	if err != nil {
		return nil, err
	}
	return &user.PackageCount, nil
}

// conclude stores how the call of an order ended. If that fails the order stays
// sent, and a restart takes it up.
func (s *Shop) conclude(ctx context.Context, c Customer, orderID string, bought *whozex.Package, err error) error {
	doubt, lost := errors.AsType[*whozex.OutcomeUnknownError](err)
	o, storeErr := s.Change(c.ID, orderID, func(_ *Customer, o *Order) error {
		switch {
		case err == nil && bought.ID == "" && !o.TopUp():
			o.State = Paid
		case err == nil:
			o.State, o.PackageID = Done, bought.ID
		case lost:
			doubt.PackagesBefore = o.Doubt.PackagesBefore
			o.State, o.Doubt = InDoubt, doubt
		default:
			o.State = Failed
		}
		return nil
	})
	if storeErr != nil {
		s.Log.Error("store", "order", orderID, "bought", bought, "error", storeErr)
		s.Alarm(ctx, fmt.Sprintf("Order %s of user %s has ended and cannot be stored: restart the shop.", orderID, c.UserID))
	}
	if err != nil && !lost {
		return err
	}
	if o == nil {
		o = &Order{ID: orderID, Asker: c.Orders[orderID].Asker, State: Sent}
	}
	s.Tell(ctx, o)
	if lost && o.Doubt != nil {
		s.alarm(ctx, c, o, "its answer was lost")
		s.settle(ctx, c, orderID)
	}
	return nil
}

func (s *Shop) alarm(ctx context.Context, c Customer, o *Order, what string) {
	s.Alarm(ctx, fmt.Sprintf("Order %s of user %s, sent at %s, is %s: %s.",
		o.ID, c.UserID, o.Doubt.SentAt.UTC().Format(time.DateTime), o.State, what))
}

// settle finds out what became of an order in doubt, and never sends it again.
// One at a time: what one has found another must not put back.
func (s *Shop) settle(ctx context.Context, c Customer, orderID string) {
	s.settling.Lock()
	defer s.settling.Unlock()
	c, err := s.Customer(c.ID)
	if err != nil || !c.Orders[orderID].unsettled() {
		s.Log.Debug("settle", "order", orderID, "error", err)
		return
	}
	var outcome whozex.Outcome
	was := *c.Orders[orderID]
	if was.State == InDoubt && len(was.Heard) != 1 {
		if outcome, err = s.API.Reconcile(ctx, was.Doubt); err != nil {
			s.Log.Warn("reconcile", "order", orderID, "error", err)
			return
		}
	}
	escalate := false
	o, err := s.Change(c.ID, orderID, func(_ *Customer, o *Order) error {
		switch {
		case len(o.Heard) == 1:
			o.State, o.PackageID = Done, o.Heard[0]
		case outcome.Verdict == whozex.OutcomeApplied && o.TopUp():
			o.State = Done
		case outcome.Verdict == whozex.OutcomeApplied:
			o.State = Paid
		case outcome.Verdict == whozex.OutcomeNotApplied:
			o.State = Failed
		}
		escalate = o.unsettled() && outcome.NotBefore.IsZero() && !o.Escalated
		o.Escalated = o.Escalated || escalate
		return nil
	})
	if err != nil {
		s.Log.Error("store", "order", orderID, "error", err)
		return
	}
	if o.State != was.State {
		s.Tell(ctx, o)
	}
	if escalate {
		s.alarm(ctx, c, o, cmp.Or(outcome.Reason, "which package it is was not told")+"; look for it among the user's purchases since then")
	}
}

// Heard takes what a package.created event tells, which brings back a package
// whose purchase's answer was lost. It may come before the answer, or before it is
// known that there will be none. A package of a customer's that no order accounts
// for, such as one of an order that was given up too early, is for an admin.
func (s *Shop) Heard(ctx context.Context, created whozex.PackageCreated, at time.Time) error {
	const clocks = time.Minute // what they may differ by
	open, owners, err := s.Orders(func(c *Customer, o *Order) bool {
		early := !at.IsZero() && o.Open() && at.Before(o.Doubt.SentAt.Add(-clocks))
		return c.UserID == created.UserID && o.Open() && !early && !o.TopUp() && created.GB.Equal(decimal.NewFromInt(int64(o.GB)))
	})
	for i, o := range open {
		if _, err := s.Change(owners[i].ID, o.ID, func(c *Customer, o *Order) error {
			if c.Bought(created.PackageID) == nil && !slices.Contains(o.Heard, created.PackageID) {
				o.Heard = append(o.Heard, created.PackageID)
			}
			return nil
		}); err != nil {
			return err
		}
		s.settle(ctx, owners[i], o.ID)
	}
	if err != nil || len(open) > 0 {
		return err
	}
	all, err := s.Customers()
	for _, c := range all {
		if c.UserID == created.UserID && c.Bought(created.PackageID) == nil {
			s.Alarm(ctx, fmt.Sprintf("Package %s of %s GB was created for user %s, and no order here accounts for it.",
				created.PackageID, created.GB, c.UserID))
		}
	}
	return err
}

// Resume finds the orders that a crash cut off in the middle of their call.
func (s *Shop) Resume(ctx context.Context) error {
	cut, owners, err := s.Orders(func(_ *Customer, o *Order) bool { return o.State == Sent })
	for i, o := range cut {
		o, err := s.Change(owners[i].ID, o.ID, func(_ *Customer, o *Order) error {
			o.State = InDoubt
			return nil
		})
		if err != nil {
			return err
		}
		s.alarm(ctx, owners[i], o, "it was cut off by a restart and is being looked into")
	}
	return err
}

// Settle settles what is in doubt, now and from time to time until ctx ends.
func (s *Shop) Settle(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		unsettled, owners, err := s.Orders(func(_ *Customer, o *Order) bool { return o.unsettled() })
		if err != nil {
			s.Log.Error("store", "error", err)
		}
		for i, o := range unsettled {
			s.settle(ctx, owners[i], o.ID)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}
