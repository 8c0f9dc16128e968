package idempotency

import (
	"context"
	"fmt"

	"github.com/whozex/whozex-go"
)

// Resolution is a person's decision about a key, made by looking at the panel or
// asking the API's support.
type Resolution struct {
	// Applied says that the call was carried out. If not, the key may be tried
	// again, and that is then sent.
	Applied bool
	// ResultID is the id of the package, user or webhook, if it is known.
	ResultID string
	// Secret is the webhook's.
	Secret whozex.Secret
	// Reason is kept in the row: who decided, and by what.
	Reason string
}

// Resolve settles an open key by a person's decision and returns the row as it is
// then. It is [ErrInProgress] while a process that lives carries out the key, and
// [ErrUnknownKey] if there is no such key. What is final stays as it is, and is
// [ErrKeyReused] if the decision says otherwise.
func (o *Once) Resolve(ctx context.Context, key string, decision Resolution) (*Record, error) {
	r, err := o.Get(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case r.InProgress:
		return r, keyError(ErrInProgress, key, "")
	case !r.open():
		if (r.State == Succeeded) != decision.Applied {
			return r, keyError(ErrKeyReused, key, "it is final: "+r.String())
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
		end = outcome{state: Succeeded, source: FromPerson, reason: decision.Reason, resultID: id, response: orNew(r, data)}
	}
	won, err := o.store.settle(ctx, r, end)
	if err != nil {
		return r, fmt.Errorf("idempotency: resolve key %s: %w", key, err)
	}
	now, err := o.Get(ctx, key)
	if err == nil && !won {
		return now, keyError(ErrInProgress, key, "it changed meanwhile: "+now.String())
	}
	if err == nil {
		o.notify(ctx, r, now)
	}
	return now, err
}
