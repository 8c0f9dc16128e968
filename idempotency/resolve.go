package idempotency

import (
	"context"
	"fmt"

	"github.com/whozex/whozex-go"
)

// Resolution is a person's decision about a key, made for instance after a look at
// the panel.
type Resolution struct {
	// Applied means that the call was carried out. If it is false, the next call
	// with the key is sent.
	Applied bool
	// ResultID is the id of the package, user or webhook, if it is known.
	ResultID string
	// Secret is the secret of a webhook, if it is known.
	Secret whozex.Secret
	// Reason is stored in the row. It should name who decided and why.
	Reason string
}

// Resolve sets the outcome of an open key by a person's decision, and returns the
// new row. The error is [ErrInProgress] while a process is making the call, and
// [ErrUnknownKey] if there is no such key. A final row is not changed; if it
// contradicts the decision, the error is [ErrKeyReused].
func (o *Once) Resolve(ctx context.Context, key string, decision Resolution) (*Record, error) {
	r, err := o.Get(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case r.InProgress:
		return r, keyError(ErrInProgress, key, "")
	case !r.open():
		if (r.State == Succeeded) != decision.Applied {
			return r, keyError(ErrKeyReused, key, "the outcome is final: "+r.String())
		}
		return r, nil
	}
	end := outcome{state: Failed, source: FromPerson, reason: decision.Reason}
	if decision.Applied {
		data, id := resultOf(r, whozex.Outcome{})
		if id == "" {
			id = decision.ResultID
		}
		if id != "" {
			data["id"] = id
		}
		if decision.Secret != "" {
			data["secret"] = string(decision.Secret)
		}
		end = outcome{state: Succeeded, source: FromPerson, reason: decision.Reason, resultID: id, response: newResponse(r, data)}
	}
	won, err := o.store.settle(ctx, r, end)
	if err != nil {
		return r, fmt.Errorf("idempotency: resolve key %s: %w", key, err)
	}
	now, err := o.Get(ctx, key)
	if err == nil && !won {
		return now, keyError(ErrInProgress, key, "the row has changed: "+now.String())
	}
	if err == nil {
		o.notify(ctx, r, now)
	}
	return now, err
}
