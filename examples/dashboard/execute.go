package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

// settleInterval is the interval between attempts to resolve unknown outcomes.
const settleInterval = 30 * time.Second

// execute makes the call of an operation, once, and stores its outcome.
func (d *dashboard) execute(ctx context.Context, op operation) {
	err := d.call(ctx, &op)
	switch r, getErr := d.once.Get(ctx, op.ID); {
	case errors.Is(err, idempotency.ErrNotStored):
		d.hub.warn("The outcome of " + op.What() + " could not be stored: " + err.Error())
		op.State, op.Problem = sending, explain(err)
	case errors.Is(getErr, idempotency.ErrUnknownKey):
		op.State, op.Problem = refused, explain(err)
	case getErr != nil:
		op.State, op.Problem = unknown, explain(getErr)
	default:
		op.Problem = ""
		if err != nil {
			op.Problem = explain(err)
		}
		op.fill(r)
		op.Transactions = d.transactionsFor(ctx, op, r)
	}
	d.ops.finish(op)
}

// call makes the mutating call. It returns an error, and sends nothing, if the price
// differs from the quote.
func (d *dashboard) call(ctx context.Context, op *operation) error {
	if op.GB == 0 {
		return d.transfer(ctx, op)
	}
	price, err := d.client.CalculatePrice(ctx, op.GB, whozex.Fresh())
	if err != nil {
		return err
	}
	if !price.Total.Equal(op.Amount) {
		return plain("The price is now " + usd(price.Total) + ", not " + usd(op.Amount) + " as quoted.")
	}
	if op.Kind == "add-gb" {
		return d.addGB(ctx, op)
	}
	pkg, err := d.once.PurchasePackage(ctx, op.ID, op.User.ID, op.params())
	if err == nil {
		op.applyPackage(pkg)
		if err := d.catalog.add(knownPackage{ID: pkg.ID, UserID: op.User.ID, GB: pkg.TotalGB, Cost: op.Amount, CreatedAt: pkg.CreatedAt}); err != nil {
			d.hub.warn(pkg.ID + " was bought, but could not be stored: " + err.Error()) // not an error of the purchase
		}
	}
	return err
}

// transfer changes a user's balance.
func (d *dashboard) transfer(ctx context.Context, op *operation) error {
	call := d.once.AddBalance
	if op.Kind == "deduction" {
		call = d.once.DeductBalance
	}
	change, err := call(ctx, op.ID, op.User.ID, op.Amount, op.Note)
	if err == nil {
		op.applyBalances(change)
	}
	return err
}

func (o *operation) params() whozex.PurchasePackageParams {
	return whozex.PurchasePackageParams{GB: o.GB, ProxyType: o.ProxyType}
}

// applyPackage takes price and balances from a response. After a lost response they
// are zero and the quote's remain.
func (o *operation) applyPackage(pkg *whozex.Package) {
	if pkg.Cost.IsPositive() {
		o.Amount, o.PricePerGB, o.UserAfter = pkg.Cost, pkg.PricePerGB, pkg.UserBalanceAfter
		o.PayerBefore, o.PayerAfter = o.UserAfter.Add(o.Amount), o.UserAfter
	}
}

// lookUp returns the current state of an operation: from memory and its key or, after a
// restart, from its key alone.
func (d *dashboard) lookUp(ctx context.Context, id string) (op operation, ok bool, err error) {
	op, ok = d.ops.get(id)
	if op.State == quoted {
		return op, ok, nil
	}
	r, err := d.once.Get(ctx, id)
	switch {
	case errors.Is(err, idempotency.ErrUnknownKey):
		return op, ok, nil
	case err != nil:
		return op, ok, err
	case !ok:
		op = d.restore(ctx, r)
	}
	op.fill(r)
	return op, true, nil
}

// over is a closed channel, for operations that have ended.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// restore makes an operation from the record of its key.
func (d *dashboard) restore(ctx context.Context, r *idempotency.Record) operation {
	var params struct {
		Amount    decimal.Decimal
		Note      string
		GB        int
		ProxyType whozex.ProxyType `json:"proxy_type"`
	}
	_ = json.Unmarshal(r.Params, &params)
	op := operation{ID: r.Key, settled: over, User: d.userCache.get(r.SubjectID), Amount: params.Amount, Note: params.Note, GB: params.GB, ProxyType: params.ProxyType}
	op.User.ID = r.SubjectID
	switch r.Operation {
	case whozex.OpAddBalance:
		op.Kind = "top-up"
	case whozex.OpDeductBalance:
		op.Kind = "deduction"
	case whozex.OpPurchasePackage:
		op.Kind = "purchase"
	case whozex.OpAddGB:
		k, _ := d.catalog.get(r.SubjectID)
		op.Kind, op.Into, op.User = "add-gb", r.SubjectID, d.userCache.get(k.UserID)
		op.User.ID = k.UserID
	default:
		return op
	}
	if r.State != idempotency.Succeeded {
		return op
	}
	// This reads the stored response: a key that has succeeded sends nothing.
	switch op.Kind {
	case "add-gb":
		_ = d.addGB(ctx, &op)
	case "purchase":
		if pkg, err := d.once.PurchasePackage(ctx, r.Key, r.SubjectID, op.params()); err == nil {
			op.applyPackage(pkg)
		}
	default:
		_ = d.transfer(ctx, &op)
	}
	return op
}

// fill takes state and outcome from the record of the key.
func (o *operation) fill(r *idempotency.Record) {
	o.State, o.Verdict, o.Reason, o.NotBefore = unknown, whozex.OutcomeUndecided, r.Reason, r.NotBefore
	o.SentAt, o.SettledAt, o.PackageID = r.Unknown.SentAt, r.UpdatedAt, ""
	switch {
	case r.State == idempotency.Succeeded:
		o.State, o.Verdict = done, whozex.OutcomeApplied
		if o.Kind == "purchase" {
			o.PackageID = r.ResultID
		}
	case r.State == idempotency.Failed:
		o.State, o.Verdict = refused, whozex.OutcomeNotApplied
		o.Problem = cmp.Or(o.Problem, r.Reason)
	case r.InProgress:
		o.State = sending
	default:
		o.Problem = cmp.Or(o.Problem, "the dashboard was stopped before a response came")
	}
	if r.Source == idempotency.FromResponse {
		o.Verdict, o.Reason = "", ""
	}
}

// transactionsFor describes the transactions that Reconcile found for an operation with
// an unknown outcome, so that a person can compare them.
func (d *dashboard) transactionsFor(ctx context.Context, op operation, r *idempotency.Record) (found []string) {
	if op.State != unknown {
		return nil
	}
	outcome, err := d.client.Reconcile(ctx, r.Unknown)
	if err != nil {
		return []string{"the search failed: " + explain(err)}
	}
	for _, t := range outcome.Transactions {
		found = append(found, strings.TrimSpace(string(t.Type)+" of "+usd(t.Amount.Decimal.Abs())+", "+t.CreatedAt.UTC().Format(time.DateTime)+" UTC "+t.Note))
	}
	return found
}

// unknown lists the operations with an unknown outcome, newest first, for the warning
// on every page.
func (d *dashboard) unknown(ctx context.Context) (open []operation) {
	rows, err := d.once.Pending(ctx)
	if err != nil {
		d.hub.warn("The stored operations cannot be read: " + err.Error())
	}
	for _, r := range slices.Backward(rows) {
		if r.InProgress {
			continue
		}
		op, ok := d.ops.get(r.Key)
		if !ok {
			op = d.restore(ctx, r)
		}
		op.fill(r)
		open = append(open, op)
	}
	return open
}

// settle resolves unknown outcomes every settleInterval.
func (d *dashboard) settle(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := d.once.Settle(ctx); err != nil && ctx.Err() == nil {
			d.hub.warn("An unknown outcome cannot be resolved: " + explain(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(settleInterval):
		}
	}
}

// askAgain tries to resolve an unknown outcome. It only reads, so a repeat is harmless.
func (d *dashboard) askAgain(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := d.once.Settle(r.Context()); err != nil {
		d.fail(w, r, http.StatusBadGateway, explain(err))
		return
	}
	if op, ok, err := d.lookUp(r.Context(), id); err == nil && ok && op.State == unknown {
		if row, err := d.once.Get(r.Context(), id); err == nil {
			op.Transactions = d.transactionsFor(r.Context(), op, row)
			d.ops.remember(op)
		}
	}
	http.Redirect(w, r, "/operations/"+url.PathEscape(id), http.StatusSeeOther)
}
