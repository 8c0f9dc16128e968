package idempotency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// Report counts what [Once.Settle] came to.
type Report struct {
	// Succeeded and Failed were open and are final now.
	Succeeded, Failed int
	// Indeterminate are still open: look at them with [Once.Pending].
	Indeterminate int
	// InProgress are carried out by processes that live.
	InProgress int
}

// Settle goes through all that is open, finds out what can be found out, and
// sends nothing again. Call it when the program starts, and every half minute or
// so: a response that was lost can be looked for again after the client's grace,
// see [whozex.WithGrace]. Several processes may do so at once.
//
// The error joins those of rows that could not be looked at; the others are
// settled all the same.
func (o *Once) Settle(ctx context.Context) (Report, error) {
	var report Report
	open, err := o.Pending(ctx)
	if err != nil {
		return report, err
	}
	var errs []error
	for _, r := range open {
		if ctx.Err() != nil {
			return report, errors.Join(append(errs, ctx.Err())...)
		}
		if !r.InProgress {
			if r, err = o.settle(ctx, r); err != nil {
				errs = append(errs, err)
			}
		}
		switch {
		case r.InProgress:
			report.InProgress++
		case r.State == Failed:
			report.Failed++
		case r.open():
			report.Indeterminate++
		default:
			report.Succeeded++
		}
	}
	return report, errors.Join(errs...)
}

// Pending lists what is open, the longest untouched first: in progress,
// indeterminate, and purchases that succeeded without it being known which
// package they bought.
func (o *Once) Pending(ctx context.Context) ([]*Record, error) {
	found, err := o.store.all(ctx, `WHERE `+isOpen+` ORDER BY updated_at, idempotency_key`)
	if err != nil {
		return nil, fmt.Errorf("idempotency: list what is open: %w", err)
	}
	return found, nil
}

// Get returns the row of a key; [ErrUnknownKey] if there is none.
func (o *Once) Get(ctx context.Context, key string) (*Record, error) {
	return found(o.store.get(ctx, key))(key)
}

// ListSubject returns the rows about a user or a package, the oldest first: the API
// has no route that lists a user's packages.
func (o *Once) ListSubject(ctx context.Context, subjectID string) ([]*Record, error) {
	found, err := o.store.all(ctx, `WHERE subject_id = $1 AND subject_id <> '' ORDER BY created_at, idempotency_key`, subjectID)
	if err != nil {
		return nil, fmt.Errorf("idempotency: list %s: %w", subjectID, err)
	}
	return found, nil
}

// FindResult returns the row whose result has an id, such as that of a package;
// [ErrUnknownKey] if there is none. AddGB and changes of a balance have the id of
// what they changed, and are not found.
func (o *Once) FindResult(ctx context.Context, id string) (*Record, error) {
	return found(o.store.one(ctx, `WHERE result_id = $1 AND result_id <> '' AND operation IN ('PurchasePackage', 'CreateUser', 'CreateWebhook')
		ORDER BY created_at LIMIT 1`, id))(id)
}

func found(r *Record, err error) func(string) (*Record, error) {
	return func(what string) (*Record, error) {
		switch {
		case err != nil:
			return nil, fmt.Errorf("idempotency: read %s: %w", what, err)
		case r == nil:
			return nil, keyError(ErrUnknownKey, what, "")
		}
		return r, nil
	}
}

// settle is settleOwn, and lets know whoever waits for the key.
func (o *Once) settle(ctx context.Context, r *Record) (*Record, error) {
	now, err := o.settleOwn(ctx, r)
	o.notify(ctx, r, now)
	return now, err
}

// notify calls the hook if a row was settled.
func (o *Once) notify(ctx context.Context, before, now *Record) {
	if now.State != before.State && !now.awaited() || before.open() && !now.open() {
		o.news(ctx, now)
	}
}

// settleOwn finds out what became of an open row that nobody carries out, and returns
// the row as it is then. With an error it is as it was.
func (o *Once) settleOwn(ctx context.Context, r *Record) (*Record, error) {
	for {
		end, err := o.findOut(ctx, r)
		if err != nil {
			return r, fmt.Errorf("idempotency: settle key %s: %w", r.Key, err)
		}
		won := true
		if end != nil {
			if won, err = o.store.settle(ctx, r, *end); err != nil {
				return r, fmt.Errorf("idempotency: settle key %s: %w", r.Key, err)
			}
		}
		now, err := o.store.get(ctx, r.Key)
		if err != nil || now == nil {
			return r, err
		}
		if won || !now.open() || now.InProgress {
			return now, nil
		}
		r = now // another process settled it meanwhile, and knew less
	}
}

// findOut is what an open row comes to; nil if there is nothing new to say.
func (o *Once) findOut(ctx context.Context, r *Record) (*outcome, error) {
	switch len(r.heard) {
	case 0:
	case 1:
		return &outcome{
			state: Succeeded, source: FromEvent, resultID: r.heard[0], response: orNew(r, bought(r, r.heard[0])),
		}, nil
	default:
		state := r.State
		if state == Pending {
			state = Indeterminate
		}
		return &outcome{state: state, source: r.Source, reason: fmt.Sprintf("events named more than one package: %v", r.heard)}, nil
	}
	if r.State == Succeeded {
		return nil, nil // which package it is only an event or a person can tell
	}
	traces, err := o.client.Reconcile(ctx, r.Unknown)
	if err != nil {
		return nil, err
	}
	switch traces.Verdict {
	case whozex.OutcomeApplied:
		data, id := resultOf(r, traces)
		return &outcome{state: Succeeded, source: FromReconcile, reason: traces.Reason, resultID: id, response: envelope(data)}, nil
	case whozex.OutcomeNotApplied:
		return &outcome{state: Failed, source: FromReconcile, reason: traces.Reason}, nil
	}
	return &outcome{state: Indeterminate, reason: traces.Reason, notBefore: traces.NotBefore}, nil
}

// orNew keeps a response that is there; it holds more.
func orNew(r *Record, data any) []byte {
	if r.State == Succeeded && r.Source == FromResponse {
		return nil
	}
	return envelope(data)
}

// resultOf is what is known of the result of a call that was carried out, and
// whose response was lost.
func resultOf(r *Record, traces whozex.Outcome) (data map[string]any, id string) {
	data = map[string]any{}
	switch r.Operation {
	case whozex.OpCreateUser:
		if u := traces.User; u != nil {
			return map[string]any{
				"id": u.ID, "email": u.Email, "name": u.Name, "balance": u.Balance, "package_count": u.PackageCount, "created_at": u.CreatedAt,
			}, u.ID
		}
	case whozex.OpAddBalance, whozex.OpDeductBalance:
		data["user_id"], data["action"] = r.SubjectID, "add"
		if r.Operation == whozex.OpDeductBalance {
			data["action"] = "deduct"
		}
		data["amount"] = paramsOf(r).Amount
		if len(traces.Transactions) == 1 && traces.Transactions[0].BalanceAfter.Valid {
			data["user_balance"] = traces.Transactions[0].BalanceAfter.Decimal
		}
		return data, r.SubjectID
	case whozex.OpAddGB:
		data["id"] = r.SubjectID
		return data, r.SubjectID
	case whozex.OpPurchasePackage:
		return bought(r, ""), ""
	}
	return data, ""
}

// bought is what is known of a package without its response.
func bought(r *Record, id string) map[string]any {
	params := paramsOf(r)
	data := map[string]any{"total_gb": params.GB, "proxy_type": params.ProxyType}
	if id != "" {
		data["id"] = id
	}
	return data
}

// changes are the parameters of whichever call.
type changes struct {
	Amount    decimal.Decimal  `json:"amount"`
	GB        int64            `json:"gb"`
	ProxyType whozex.ProxyType `json:"proxy_type"`
}

func paramsOf(r *Record) (c changes) {
	_ = json.Unmarshal(r.Params, &c) // our own
	return c
}
