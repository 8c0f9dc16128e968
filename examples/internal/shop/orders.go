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

// Execute makes the call of an order, at most once however often it is called, and
// notifies the requester of the result. The end of ctx does not cancel the call. If
// Execute returns an error, it spent no money.
func (s *Shop) Execute(ctx context.Context, o Order) error {
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
		return ErrInProgress
	case errors.Is(err, idempotency.ErrUserBusy):
		return ErrBusy
	case errors.Is(err, idempotency.ErrNotStored):
		s.AlertAdmin(ctx, fmt.Sprintf("The result of order %s could not be stored yet: %v", o.Key(), err))
		return ErrInProgress
	case err != nil && !errors.Is(err, idempotency.ErrIndeterminate) && !errors.Is(err, idempotency.ErrResultLost):
		return err
	}
	r, err := s.Once.Get(ctx, o.Key())
	if err != nil {
		s.Log.Error("store", "order", o.Key(), "error", err)
		return ErrInProgress
	}
	s.Notify(ctx, o, r)
	if r.State == idempotency.Indeterminate {
		s.alertOnce(ctx, r)
	}
	return nil
}

// checkPrice returns an error if the price has changed since the quote.
func (s *Shop) checkPrice(ctx context.Context, o Order) error {
	r, err := s.Once.Get(ctx, o.Key())
	if err == nil && r.State != idempotency.Failed {
		return nil // the purchase was already sent at that price
	}
	quote, err := s.API.CalculatePrice(ctx, o.GB)
	if err == nil && !quote.Total.Equal(o.Price) {
		err = UserError(fmt.Sprintf("The price is now $%s, not $%s: please order again.", quote.Total.StringFixed(2), o.Price.StringFixed(2)))
	}
	return err
}

// Settle resolves open orders, now and at each interval until ctx ends. It alerts an
// admin once for each order that only a person can resolve.
func (s *Shop) Settle(ctx context.Context, interval time.Duration) {
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
		case <-time.After(interval):
		}
	}
}

func (s *Shop) escalate(ctx context.Context) error {
	open, err := s.Once.Pending(ctx)
	for _, r := range open {
		if !r.InProgress && r.NotBefore.IsZero() {
			s.alertOnce(ctx, r)
		}
	}
	return err
}

// alertOnce alerts an admin unless it has done so for this order.
func (s *Shop) alertOnce(ctx context.Context, r *idempotency.Record) {
	if _, alerted := s.alertedKeys.LoadOrStore(r.Key, true); !alerted {
		s.AlertAdmin(ctx, fmt.Sprintf("%s for %s, sent at %s: %s", r, cmp.Or(r.SubjectID, "the account"),
			r.Unknown.SentAt.UTC().Format(time.DateTime), cmp.Or(r.Reason, "the package's number was lost; look it up in the panel")))
	}
}

// Packages returns the successful purchases of a customer. The ResultID of some may
// be unknown.
func (s *Shop) Packages(ctx context.Context, c Customer) (purchases []*idempotency.Record, err error) {
	all, err := s.Once.ListSubject(ctx, c.UserID)
	for _, r := range all {
		if r.Operation == whozex.OpPurchasePackage && r.State == idempotency.Succeeded {
			purchases = append(purchases, r)
		}
	}
	return purchases, err
}

// Owner returns the order that bought a package, or [idempotency.ErrUnknownKey] if
// there is none.
func (s *Shop) Owner(ctx context.Context, packageID string) (Order, *idempotency.Record, error) {
	r, err := s.Once.FindResult(ctx, packageID)
	if err != nil {
		return Order{}, nil, err
	}
	o, err := ParseOrder(r.Key)
	return o, r, err
}

// callParams are the parameters of all operations together.
type callParams struct {
	Email string          `json:"email"`
	GB    decimal.Decimal `json:"gb"`
}

func parseParams(r *idempotency.Record) (p callParams) {
	_ = json.Unmarshal(r.Params, &p)
	return p
}

// NewID returns a random order ID.
func NewID() string { return rand.Text()[:10] }
