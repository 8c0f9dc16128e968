package idempotency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// Report counts the rows that [Once.Settle] looked at.
type Report struct {
	// Succeeded and Failed were open and are now final.
	Succeeded, Failed int
	// Indeterminate are still open. [Once.Pending] lists them.
	Indeterminate int
	// InProgress are calls that a process is making right now.
	InProgress int
}

// Settle resolves the open rows as far as possible. It does not repeat any call.
// Run it when the program starts, and then about every 30 seconds: Reconcile can
// often decide once the client's grace period is over, see [whozex.WithGrace].
// Several processes may run it at the same time.
//
// An error in one row does not stop the others. Settle returns all errors joined.
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
			if r, err = o.settleAndNotify(ctx, r); err != nil {
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

// Pending lists the open rows, the least recently updated first. Open are calls in
// progress, indeterminate calls, and successful purchases whose package id is
// unknown.
func (o *Once) Pending(ctx context.Context) ([]*Record, error) {
	records, err := o.store.queryAll(ctx, `WHERE `+isOpen+` ORDER BY updated_at, idempotency_key`)
	if err != nil {
		return nil, fmt.Errorf("idempotency: list open keys: %w", err)
	}
	return records, nil
}

// Get returns the row of a key, or [ErrUnknownKey] if there is none.
func (o *Once) Get(ctx context.Context, key string) (*Record, error) {
	r, err := o.store.get(ctx, key)
	return requireRecord(r, err, key)
}

// ListSubject returns the rows of a user or a package, the oldest first. The API has
// no route that lists a user's packages.
func (o *Once) ListSubject(ctx context.Context, subjectID string) ([]*Record, error) {
	records, err := o.store.queryAll(ctx, `WHERE subject_id = $1 AND subject_id <> '' ORDER BY created_at, idempotency_key`, subjectID)
	if err != nil {
		return nil, fmt.Errorf("idempotency: list %s: %w", subjectID, err)
	}
	return records, nil
}

// FindResult returns the row that created the package, user or webhook with an id,
// or [ErrUnknownKey] if there is none. It does not find calls that only changed it,
// such as AddGB.
func (o *Once) FindResult(ctx context.Context, id string) (*Record, error) {
	r, err := o.store.queryOne(ctx, `WHERE result_id = $1 AND result_id <> '' AND operation IN ('PurchasePackage', 'CreateUser', 'CreateWebhook')
		ORDER BY created_at LIMIT 1`, id)
	return requireRecord(r, err, id)
}

func requireRecord(r *Record, err error, id string) (*Record, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("idempotency: read %s: %w", id, err)
	case r == nil:
		return nil, keyError(ErrUnknownKey, id, "")
	}
	return r, nil
}

// settleAndNotify is settle followed by the call of WithOnSettled.
func (o *Once) settleAndNotify(ctx context.Context, r *Record) (*Record, error) {
	now, err := o.settle(ctx, r)
	o.notify(ctx, r, now)
	return now, err
}

// notify calls the function of WithOnSettled if the row was resolved.
func (o *Once) notify(ctx context.Context, before, now *Record) {
	if now.State != before.State && !now.outcomeUnknown() || before.open() && !now.open() {
		o.onSettled(ctx, now)
	}
}

// settle finds out the outcome of an open row that is not in progress, stores it
// and returns the new row. With an error it returns the old one.
func (o *Once) settle(ctx context.Context, r *Record) (*Record, error) {
	for {
		end, err := o.findOutcome(ctx, r)
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
		r = now // another process changed the row, but could not resolve it
	}
}

// findOutcome finds out the outcome of an open row. It returns nil if there is
// nothing new.
func (o *Once) findOutcome(ctx context.Context, r *Record) (*outcome, error) {
	switch len(r.eventPackages) {
	case 0:
	case 1:
		return &outcome{
			state: Succeeded, source: FromEvent, resultID: r.eventPackages[0], response: newResponse(r, packageData(r, r.eventPackages[0])),
		}, nil
	default:
		state := r.State
		if state == Pending {
			state = Indeterminate
		}
		return &outcome{state: state, source: r.Source, reason: fmt.Sprintf("events named more than one package: %v", r.eventPackages)}, nil
	}
	if r.State == Succeeded {
		return nil, nil // only an event or a person can name the package
	}
	found, err := o.client.Reconcile(ctx, r.Unknown)
	if err != nil {
		return nil, err
	}
	switch found.Verdict {
	case whozex.OutcomeApplied:
		data, id := resultOf(r, found)
		return &outcome{state: Succeeded, source: FromReconcile, reason: found.Reason, resultID: id, response: envelope(data)}, nil
	case whozex.OutcomeNotApplied:
		return &outcome{state: Failed, source: FromReconcile, reason: found.Reason}, nil
	}
	return &outcome{state: Indeterminate, reason: found.Reason, notBefore: found.NotBefore}, nil
}

// newResponse builds a response to store from data. It returns nil, to keep the
// stored one, if the row has the real response.
func newResponse(r *Record, data any) []byte {
	if r.State == Succeeded && r.Source == FromResponse {
		return nil
	}
	return envelope(data)
}

// resultOf returns what is known about the result of a call that succeeded and
// whose response was lost.
func resultOf(r *Record, found whozex.Outcome) (data map[string]any, id string) {
	data = map[string]any{}
	switch r.Operation {
	case whozex.OpCreateUser:
		if u := found.User; u != nil {
			return map[string]any{
				"id": u.ID, "email": u.Email, "name": u.Name, "balance": u.Balance, "package_count": u.PackageCount, "created_at": u.CreatedAt,
			}, u.ID
		}
	case whozex.OpAddBalance, whozex.OpDeductBalance:
		data["user_id"], data["action"] = r.SubjectID, "add"
		if r.Operation == whozex.OpDeductBalance {
			data["action"] = "deduct"
		}
		data["amount"] = parseParams(r).Amount
		if len(found.Transactions) == 1 && found.Transactions[0].BalanceAfter.Valid {
			data["user_balance"] = found.Transactions[0].BalanceAfter.Decimal
		}
		return data, r.SubjectID
	case whozex.OpAddGB:
		data["id"] = r.SubjectID
		return data, r.SubjectID
	case whozex.OpPurchasePackage:
		return packageData(r, ""), ""
	}
	return data, ""
}

// packageData returns what is known about a bought package without its response.
func packageData(r *Record, id string) map[string]any {
	params := parseParams(r)
	data := map[string]any{"total_gb": params.GB, "proxy_type": params.ProxyType}
	if id != "" {
		data["id"] = id
	}
	return data
}

// callParams are the parameters of all operations together.
type callParams struct {
	Amount    decimal.Decimal  `json:"amount"`
	GB        int64            `json:"gb"`
	ProxyType whozex.ProxyType `json:"proxy_type"`
}

func parseParams(r *Record) (p callParams) {
	_ = json.Unmarshal(r.Params, &p) // this package has written them
	return p
}
