package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go"
)

// storeTimeout bounds the retries that store the outcome of a call while the
// database is down.
const storeTimeout = 15 * time.Second

// maxClaims bounds how often a claim that was slow to store is renewed.
const maxClaims = 3

// callFunc makes the call of a method with the given client.
type callFunc[T any] func(context.Context, *whozex.Client, ...whozex.CallOption) (*T, error)

// completeFunc sets the known id in a result that lacks it. It returns the result's
// id and whether the result is complete.
type completeFunc[T any] func(result *T, id string) (resultID string, complete bool)

// do implements every method: it returns the stored result of the key, resolves an
// open key, or sends the request.
func do[T any](ctx context.Context, o *Once, key string, spec *spec, opts []whozex.CallOption, call callFunc[T], complete completeFunc[T]) (*T, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	for settled := false; ; {
		r, err := o.store.get(ctx, key)
		switch {
		case err != nil:
			return nil, fmt.Errorf("idempotency: read key %s, nothing was sent: %w", key, err)
		case r == nil:
			r = &Record{Key: key, State: Failed} // a new key is like one with no attempts
		case !spec.matches(r):
			return nil, keyError(ErrKeyReused, key, "by "+r.String())
		}
		switch {
		case r.State == Succeeded:
			return replay(ctx, o, r, call, complete)
		case r.InProgress:
			return nil, keyError(ErrInProgress, key, "")
		case r.State != Failed && settled:
			return nil, &IndeterminateError{r}
		case r.State != Failed:
			settled = true
			if _, err := o.settle(ctx, r); err != nil {
				return nil, errors.Join(&IndeterminateError{r}, err)
			}
			continue
		}
		result, err := send(ctx, o, r, spec, opts, call, complete)
		if errors.Is(err, errRaced) {
			continue // another process has claimed the key: read its row
		}
		return result, err
	}
}

// replay returns the stored result.
func replay[T any](ctx context.Context, o *Once, r *Record, call callFunc[T], complete completeFunc[T]) (*T, error) {
	result, err := call(o.replayer.with(ctx, r.response), o.replayer.client)
	if err != nil {
		return nil, fmt.Errorf("%w: key %s: the stored response cannot be read: %w", ErrResultLost, r.Key, err)
	}
	return result, checkComplete(result, r.Key, r.ResultID, complete)
}

func checkComplete[T any](result *T, key, id string, complete completeFunc[T]) error {
	if _, ok := complete(result, id); !ok {
		return keyError(ErrResultLost, key, "")
	}
	return nil
}

// send makes the call. It claims the key just before the request is sent, and
// stores the outcome of the call.
func send[T any](ctx context.Context, o *Once, r *Record, spec *spec, opts []whozex.CallOption, call callFunc[T], complete completeFunc[T]) (*T, error) {
	purchase := spec.operation == whozex.OpPurchasePackage
	if purchase || !o.clockSynced.Load() {
		// Invalid parameters must not cost the read that follows.
		if err := checkParams(ctx, o, call); err != nil {
			return nil, err
		}
	}
	var buyer buyer
	var packages *int
	if purchase {
		leave, err := o.purchases.enter(ctx, spec.subject)
		if err != nil {
			return nil, fmt.Errorf("idempotency: wait for another purchase of user %s, nothing was sent: %w", spec.subject, err)
		}
		defer leave()
		if buyer, packages, err = o.beforePurchase(ctx, r.Key, spec.subject); err != nil {
			return nil, err
		}
	}
	if err := o.syncClock(ctx); err != nil {
		return nil, fmt.Errorf("idempotency: before key %s, nothing was sent: %w", r.Key, err)
	}
	a := &attempt{
		Once:          o,
		claim:         claim{key: r.Key, attempt: r.Attempts + 1, owner: o.owner, lease: o.lease},
		spec:          spec,
		priorAttempts: r.Attempts,
		buyer:         buyer,
		packages:      packages,
		done:          make(chan struct{}),
	}
	defer close(a.done)
	var response whozex.Response
	opts = append(opts[:len(opts):len(opts)], whozex.BeforeSend(func(unknown *whozex.OutcomeUnknownError) error { return a.beforeSend(ctx, unknown) }),
		whozex.CaptureResponse(&response))
	result, err := call(ctx, o.client, opts...)
	if !a.started {
		return nil, err // nothing was sent or stored
	}
	o.step(StepEnded)
	if errors.Is(err, errRaced) {
		return nil, errRaced
	}
	end, id := outcome{state: Succeeded, source: FromResponse, response: response.Body}, ""
	unknown, lost := errors.AsType[*whozex.OutcomeUnknownError](err)
	switch {
	case lost:
		unknown.PackagesBefore = packages
		end = outcome{state: Indeterminate, reason: err.Error(), unknown: unknown}
	case err != nil:
		end = outcome{state: Failed, source: FromResponse, reason: err.Error()}
	default:
		id, _ = complete(result, "")
		end.resultID = id
	}
	stored, storeErr := a.storeOutcome(ctx, end)
	o.step(StepStored)
	switch {
	case storeErr != nil && a.claimed:
		return result, errors.Join(fmt.Errorf("%w: key %s: %w", ErrNotStored, r.Key, storeErr), err)
	case err == nil && !stored:
		return result, fmt.Errorf("%w: the call succeeded, but another process had taken over key %s", ErrNotStored, r.Key)
	case lost:
		return settleLost(ctx, o, r.Key, call, complete, err)
	case err != nil:
		return nil, err
	}
	return result, checkComplete(result, r.Key, "", complete)
}

// syncClock makes sure that the client knows the server's time, which the records
// contain.
func (o *Once) syncClock(ctx context.Context) error {
	if o.clockSynced.Load() {
		return nil
	}
	_, err := o.client.GetAccount(ctx, whozex.Fresh())
	o.clockSynced.Store(err == nil)
	return err
}

// checkParams returns the client's error for invalid parameters. It sends nothing.
func checkParams[T any](ctx context.Context, o *Once, call callFunc[T]) error {
	_, err := call(o.replayer.with(ctx, nil), o.replayer.client)
	if invalid, ok := errors.AsType[*whozex.ParamError](err); ok {
		return invalid
	}
	return nil
}

// settleLost tries to resolve the key of a lost response at once. cause is the
// error of the call.
func settleLost[T any](ctx context.Context, o *Once, key string, call callFunc[T], complete completeFunc[T], cause error) (*T, error) {
	r, err := o.store.get(ctx, key)
	if err != nil || r == nil {
		return nil, errors.Join(cause, err)
	}
	if r.State == Indeterminate && ctx.Err() == nil {
		if settled, err := o.settle(ctx, r); err == nil {
			r = settled
		}
	}
	switch r.State {
	case Succeeded:
		return replay(ctx, o, r, call, complete)
	case Failed:
		return nil, fmt.Errorf("%w: key %s: %s", ErrNotApplied, key, r.Reason)
	}
	return nil, errors.Join(&IndeterminateError{r}, cause)
}

// attempt is one call with a key, from its claim to its stored outcome.
type attempt struct {
	*Once
	claim         claim
	spec          *spec
	priorAttempts int64
	buyer         buyer
	packages      *int

	started, claimed bool
	done             chan struct{} // closed when the call has returned
}

// beforeSend runs before each request of the call. If storing the claim took longer
// than half the lease, for instance because the process was suspended, the lease
// may be over. It then renews the claim, or finds that another process has taken
// over the key.
func (a *attempt) beforeSend(ctx context.Context, unknown *whozex.OutcomeUnknownError) error {
	unknown.PackagesBefore = a.packages
	a.started = true
	for range maxClaims {
		start := time.Now()
		if err := a.storeClaim(ctx, unknown); err != nil || elapsed(start) < a.lease/2 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return keyError(ErrFenced, a.claim.key, "the store is slower than half the lease, nothing was sent")
}

// elapsed returns the time since t by the monotonic or the wall clock, whichever
// shows more: the monotonic clock stops while the machine is suspended, and the wall
// clock can be set back.
func elapsed(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

func (a *attempt) storeClaim(ctx context.Context, unknown *whozex.OutcomeUnknownError) error {
	a.step(StepClaim)
	if err := a.store.db.Gone(); err != nil {
		return fmt.Errorf("idempotency: claim key %s, nothing was sent: %w", a.claim.key, err)
	}
	won, err := a.claimOrRenew(ctx, unknown)
	switch {
	case errors.Is(err, ErrUserBusy) || errors.Is(err, errRaced):
		return err
	case err != nil:
		return fmt.Errorf("idempotency: claim key %s, nothing was sent: %w", a.claim.key, err)
	case !won && !a.claimed:
		return errRaced
	case !won:
		return keyError(ErrFenced, a.claim.key, "nothing was sent")
	}
	if !a.claimed {
		a.claimed = true
		go a.extendLease()
	}
	a.step(StepClaimed)
	return nil
}

func (a *attempt) claimOrRenew(ctx context.Context, unknown *whozex.OutcomeUnknownError) (bool, error) {
	switch {
	case a.claimed:
		return a.store.renewClaim(ctx, &a.claim, unknown)
	case a.spec.operation == whozex.OpPurchasePackage:
		return a.store.claimPurchase(ctx, &a.claim, a.spec, a.priorAttempts, unknown, a.buyer)
	}
	return a.store.insertClaim(ctx, a.store.db, &a.claim, a.spec, a.priorAttempts, unknown)
}

// extendLease extends the lease until the call returns. An error does no harm: if
// the claim is lost, beforeSend or storeOutcome reports it.
func (a *attempt) extendLease() {
	ticker := time.NewTicker(a.lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(context.Background(), a.lease/3)
			_ = a.store.extendLease(ctx, &a.claim)
			cancel()
		case <-a.done:
			return
		}
	}
}

// storeOutcome stores the outcome of the call, even if the caller's context has
// ended, and retries while the database is down. A claim whose commit returned an
// error may exist all the same. storeOutcome then tries once to end it; if that
// fails, its lease expires.
func (a *attempt) storeOutcome(ctx context.Context, end outcome) (stored bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if stored, err = a.store.finish(ctx, &a.claim, end); err == nil || !a.claimed {
			return stored, err
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(wait):
		}
	}
}
