package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go"
)

// doubtful describes a call that is about to be made, in the form that Reconcile
// takes if its answer is lost.
func (b *bot) doubtful(ctx context.Context, o order) (*whozex.OutcomeUnknownError, error) {
	doubt := &whozex.OutcomeUnknownError{Operation: whozex.OpPurchasePackage, ID: o.UserID, SentAt: time.Now()}
	var request any = whozex.PurchasePackageParams{GB: o.GB, ProxyType: o.ProxyType}
	if o.topUp() {
		doubt.Operation = whozex.OpAddBalance
		request = map[string]any{"action": "add", "amount": json.Number(o.Amount.String()), "note": o.ID}
	} else if user, err := b.user(ctx, o.Customer); err != nil {
		return nil, err
	} else {
		doubt.PackagesBefore = &user.PackageCount
	}
	var err error
	doubt.Request, err = json.Marshal(request)
	return doubt, err
}

// carryOut makes the call of an order, once, however often it is asked to. What
// stops the bot does not stop a call that is under way.
func (b *bot) carryOut(ctx context.Context, o order) {
	b.running.Add(1)
	defer b.running.Done()
	ctx = context.WithoutCancel(ctx)
	if o.State != quoted {
		b.tell(ctx, o.Customer, b.about(o))
		return
	}
	if err := b.stillCosts(ctx, o); err != nil {
		b.fail(ctx, o.Customer, err)
		return
	}
	doubt, err := b.doubtful(ctx, o)
	if err != nil {
		b.fail(ctx, o.Customer, err)
		return
	}
	o, claimed, err := b.store.claim(o.ID, doubt)
	switch {
	case err != nil:
		b.fail(ctx, o.Customer, err)
	case !claimed:
		b.tell(ctx, o.Customer, b.about(o))
	case o.topUp():
		_, err := b.api.AddBalance(ctx, o.UserID, o.Amount, o.ID)
		b.conclude(ctx, o, "", err)
	default:
		pkg, err := b.api.PurchasePackage(ctx, o.UserID, whozex.PurchasePackageParams{GB: o.GB, ProxyType: o.ProxyType})
		if err != nil {
			b.conclude(ctx, o, "", err)
			return
		}
		b.conclude(ctx, o, pkg.ID, nil)
	}
}

// stillCosts refuses what is no longer sold at the price on the button.
func (b *bot) stillCosts(ctx context.Context, o order) error {
	if o.topUp() {
		return nil
	}
	quote, err := b.api.CalculatePrice(ctx, o.GB)
	if err == nil && !quote.Total.Equal(o.Price) {
		err = inputError{fmt.Errorf("the price is %s now, not %s: send /buy %d again", usd(quote.Total), usd(o.Price), o.GB)}
	}
	return err
}

// conclude stores how a call ended, and tells it.
func (b *bot) conclude(ctx context.Context, o order, packageID string, err error) {
	var doubt *whozex.OutcomeUnknownError
	switch {
	case err == nil:
		o.State, o.PackageID = done, packageID
	case errors.As(err, &doubt):
		doubt.PackagesBefore = o.Doubt.PackagesBefore
		o.State, o.Doubt = unknown, doubt
	default:
		o.State = failed
	}
	b.log.Info("order", "id", o.ID, "state", o.State)
	if packageID != "" {
		b.keep(b.store.learn(pack{ID: packageID, UserID: o.UserID, GB: int64(o.GB), Order: o.ID, Seen: time.Now()}))
	}
	b.keep(b.store.put(orders, o.ID, o))
	switch o.State {
	case failed:
		b.tell(ctx, o.Customer, say("It was not carried out, and no money was spent: %v.", reason(err)))
	case unknown:
		b.tell(ctx, o.Customer, "It is not known yet whether this was carried out. Nothing is sent again; you will be told.")
		b.alarm(ctx, say("Order <code>%v</code> of user <code>%v</code> is in doubt since %v: %v", o.ID, o.UserID, o.Doubt.SentAt.UTC().Format(time.DateTime), reason(err)))
		b.settle(ctx, o.ID)
	default:
		b.tell(ctx, o.Customer, b.about(o))
	}
}

// settle finds out what became of an order in doubt. It never sends it again.
// One at a time: an event and the clock may both ask, and what one has found the
// other must not put back.
func (b *bot) settle(ctx context.Context, id string) {
	b.settling.Lock()
	defer b.settling.Unlock()
	o, _, err := get[order](b.store, orders, id)
	if err != nil || o.State != unknown && o.State != paid {
		b.keep(err)
		return
	}
	if !o.topUp() {
		if o, adopted, err := b.store.adopt(o); err != nil || adopted {
			b.keep(err)
			b.tell(ctx, o.Customer, b.about(o))
			return
		}
		if o.State == paid {
			return
		}
	}
	outcome, err := b.api.Reconcile(ctx, o.Doubt)
	if err != nil {
		b.log.Warn("reconcile", "order", o.ID, "error", err)
		return
	}
	switch outcome.Verdict {
	case whozex.OutcomeApplied:
		o.State = paid
		if o.topUp() {
			o.State = done
		}
	case whozex.OutcomeNotApplied:
		o.State = failed
	default:
		if !outcome.NotBefore.IsZero() || o.Escalated {
			return
		}
		o.Escalated = true
		b.keep(b.store.put(orders, o.ID, o))
		b.alarm(ctx, say("Order <code>%v</code> cannot be settled here: %v. Look for it among the purchases of user <code>%v</code> since %v.",
			o.ID, outcome.Reason, o.UserID, o.Doubt.SentAt.UTC().Format(time.DateTime)))
		return
	}
	b.keep(b.store.put(orders, o.ID, o))
	b.tell(ctx, o.Customer, b.about(o))
}

// settleAll settles what is in doubt, now and from time to time.
func (b *bot) settleAll(ctx context.Context, every time.Duration) {
	for {
		inDoubt, err := all(b.store, orders, func(o order) bool { return o.State == unknown || o.State == paid })
		b.keep(err)
		for _, o := range inDoubt {
			b.settle(ctx, o.ID)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// resume finds the orders that a crash cut off in the middle of their call.
func (b *bot) resume(ctx context.Context) error {
	cut, err := all(b.store, orders, func(o order) bool { return o.State == sent })
	for _, o := range cut {
		o.State = unknown
		if err := b.store.put(orders, o.ID, o); err != nil {
			return err
		}
		b.alarm(ctx, say("Order <code>%v</code> of user <code>%v</code> was cut off by a restart and is being looked into.", o.ID, o.UserID))
	}
	return err
}

// about says where an order stands.
func (b *bot) about(o order) string {
	switch {
	case o.State == done && o.topUp():
		return say("Topped up by %v.", usd(o.Amount))
	case o.State == done:
		return say("You have <code>%v</code>, %v GB %v. See /credentials %v", o.PackageID, o.GB, o.ProxyType, o.PackageID)
	case o.State == paid:
		return "It was bought and paid for. Its number is on the way."
	case o.State == failed:
		return "It was not carried out, and no money was spent. You can order anew."
	}
	return say("This order is %v. Nothing is sent twice; please wait.", o.State)
}

// reason is an error for a customer's eyes.
func reason(err error) string {
	switch {
	case errors.Is(err, whozex.ErrInsufficientBalance):
		return "the balance is too low"
	case errors.Is(err, whozex.ErrOutcomeUnknown):
		return "the answer was lost"
	case errors.Is(err, whozex.ErrRateLimited), errors.Is(err, whozex.ErrServer):
		return "the service is busy, try again later"
	case errors.Is(err, whozex.ErrNotFound):
		return "it was not found"
	case errors.Is(err, errBusy):
		return fmt.Sprint(errBusy)
	}
	return "the service did not take it"
}
