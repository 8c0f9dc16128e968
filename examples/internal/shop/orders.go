package shop

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

// CarryOut makes the call of an order, once, however often it is asked to, and
// has the asker told how it stands. What ends ctx does not end a call that is
// under way. An error means that no money was spent by this call.
func (s *Shop) CarryOut(ctx context.Context, o Order) error {
	s.running.Add(1)
	defer s.running.Done()
	ctx = context.WithoutCancel(ctx)
	c, err := s.Customer(ctx, o.Customer)
	if err != nil {
		return err
	}
	if o.TopUp() {
		_, err = s.Once.AddBalance(ctx, o.Key(), c.UserID, o.Amount, "")
	} else if err = s.checkPrice(ctx, o); err == nil {
		_, err = s.Once.PurchasePackage(ctx, o.Key(), c.UserID, whozex.PurchasePackageParams{GB: o.GB, ProxyType: o.ProxyType})
	}
	switch {
	case errors.Is(err, idempotency.ErrInProgress):
		return ErrTaken
	case errors.Is(err, idempotency.ErrUserBusy):
		return ErrBusy
	case errors.Is(err, idempotency.ErrNotStored):
		s.Alarm(ctx, fmt.Sprintf("Order %s has ended and cannot be stored yet: %v", o.Key(), err))
		return ErrTaken
	case err != nil && !errors.Is(err, idempotency.ErrIndeterminate) && !errors.Is(err, idempotency.ErrResultLost):
		return err
	}
	r, err := s.Once.Get(ctx, o.Key())
	if err != nil {
		s.Log.Error("store", "order", o.Key(), "error", err)
		return ErrTaken
	}
	s.Tell(ctx, o, r)
	if r.State == idempotency.Indeterminate {
		s.alarm(ctx, r)
	}
	return nil
}

// checkPrice refuses what is no longer sold at the price that was quoted.
func (s *Shop) checkPrice(ctx context.Context, o Order) error {
	r, err := s.Once.Get(ctx, o.Key())
	if err == nil && r.State != idempotency.Failed {
		return nil // it was sent at that price
	}
	quote, err := s.API.CalculatePrice(ctx, o.GB)
	if err == nil && !quote.Total.Equal(o.Price) {
		err = Refusal(fmt.Sprintf("The price is $%s now, not $%s: please order again.", quote.Total.StringFixed(2), o.Price.StringFixed(2)))
	}
	return err
}

// Settle settles what is open, now and from time to time until ctx ends. What
// only a person can settle is for an admin, once.
func (s *Shop) Settle(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		_, err := s.Once.Settle(ctx)
		if err == nil {
			err = s.escalate(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("settle", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

func (s *Shop) escalate(ctx context.Context) error {
	open, err := s.Once.Pending(ctx)
	for _, r := range open {
		if !r.InProgress && r.NotBefore.IsZero() {
			s.alarm(ctx, r)
		}
	}
	return err
}

func (s *Shop) alarm(ctx context.Context, r *idempotency.Record) {
	if _, known := s.alarmed.LoadOrStore(r.Key, true); !known {
		s.Alarm(ctx, fmt.Sprintf("%s for %s, sent at %s: %s", r, cmp.Or(r.SubjectID, "the account"),
			r.Unknown.SentAt.UTC().Format(time.DateTime), cmp.Or(r.Reason, "which package it is was lost; look for it at the panel")))
	}
}

// Packages returns the purchases of a customer, also those whose package is not
// known.
func (s *Shop) Packages(ctx context.Context, c Customer) (bought []*idempotency.Record, err error) {
	all, err := s.Once.ListSubject(ctx, c.UserID)
	for _, r := range all {
		if r.Operation == whozex.OpPurchasePackage && r.State == idempotency.Succeeded {
			bought = append(bought, r)
		}
	}
	return bought, err
}

// Owner returns the order that bought a package; [idempotency.ErrUnknownKey] if
// none did.
func (s *Shop) Owner(ctx context.Context, packageID string) (Order, *idempotency.Record, error) {
	r, err := s.Once.FindResult(ctx, packageID)
	if err != nil {
		return Order{}, nil, err
	}
	o, err := ParseOrder(r.Key)
	return o, r, err
}

// params are those of whichever call.
type params struct {
	Email string          `json:"email"`
	GB    decimal.Decimal `json:"gb"`
}

func paramsOf(r *idempotency.Record) (p params) {
	_ = json.Unmarshal(r.Params, &p)
	return p
}

// NewID names an order that nobody has named yet.
func NewID() string { return rand.Text()[:10] }
