package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go"
)

// storePatience is how long a call that has ended goes on trying to store how,
// while the database is away.
const storePatience = 15 * time.Second

// caller makes the call of a method, by whichever client.
type caller[T any] func(context.Context, *whozex.Client, ...whozex.CallOption) (*T, error)

// completer adds to a result the id that is known, and returns the result's own
// and whether the result is whole.
type completer[T any] func(result *T, id string) (resultID string, whole bool)

// do is the one way of every method.
func do[T any](ctx context.Context, o *Once, key string, of *spec, opts []whozex.CallOption, call caller[T], complete completer[T]) (*T, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	for settled := false; ; {
		r, err := o.store.get(ctx, key)
		switch {
		case err != nil:
			return nil, fmt.Errorf("idempotency: read key %s, nothing was sent: %w", key, err)
		case r == nil:
			r = &Record{Key: key, State: Failed} // as if it had failed zero times
		case !of.of(r):
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
			if _, err := o.settleOwn(ctx, r); err != nil {
				return nil, errors.Join(&IndeterminateError{r}, err)
			}
			continue
		}
		result, err := attempt(ctx, o, r, of, opts, call, complete)
		if errors.Is(err, errRaced) {
			continue // the row is there now, and says the rest
		}
		return result, err
	}
}

// replay gives the stored result.
func replay[T any](ctx context.Context, o *Once, r *Record, call caller[T], complete completer[T]) (*T, error) {
	result, err := call(o.stored.with(ctx, r.response), o.stored.client)
	if err != nil {
		return nil, fmt.Errorf("%w: key %s: the stored response cannot be read: %w", ErrResultLost, r.Key, err)
	}
	return result, whole(result, r.Key, r.ResultID, complete)
}

func whole[T any](result *T, key, id string, complete completer[T]) error {
	if _, whole := complete(result, id); !whole {
		return keyError(ErrResultLost, key, "")
	}
	return nil
}

// attempt claims the key as the request is about to leave, and stores how the
// call ended.
func attempt[T any](ctx context.Context, o *Once, r *Record, of *spec, opts []whozex.CallOption, call caller[T], complete completer[T]) (*T, error) {
	purchase := of.operation == whozex.OpPurchasePackage
	if purchase || !o.timed.Load() {
		if err := invalid(ctx, o, call); err != nil {
			return nil, err
		}
	}
	var buying buyer
	var packages *int
	if purchase {
		leave, err := o.buyers.enter(ctx, of.subject)
		if err != nil {
			return nil, fmt.Errorf("idempotency: wait for another purchase of user %s, nothing was sent: %w", of.subject, err)
		}
		defer leave()
		if buying, packages, err = o.beforePurchase(ctx, r.Key, of.subject); err != nil {
			return nil, err
		}
	}
	if err := o.seeTime(ctx); err != nil {
		return nil, fmt.Errorf("idempotency: before key %s, nothing was sent: %w", r.Key, err)
	}
	s := &sending{Once: o, claim: claim{r.Key, r.Attempts + 1, o.owner, o.lease}, spec: of, after: r.Attempts, buying: buying, packages: packages, ended: make(chan struct{})}
	defer close(s.ended)
	var response whozex.Response
	opts = append(opts[:len(opts):len(opts)], whozex.BeforeSend(func(unknown *whozex.OutcomeUnknownError) error { return s.before(ctx, unknown) }),
		whozex.CaptureResponse(&response))
	result, err := call(ctx, o.client, opts...)
	if !s.tried {
		return nil, err // nothing was sent, and nothing stored
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
	stored, storeErr := s.persist(ctx, end)
	o.step(StepStored)
	switch {
	case storeErr != nil && s.claimed:
		return result, errors.Join(fmt.Errorf("%w: key %s: %w", ErrNotStored, r.Key, storeErr), err)
	case err == nil && !stored:
		return result, fmt.Errorf("%w: key %s was given away after it was sent, and has succeeded", ErrNotStored, r.Key)
	case lost:
		return after(ctx, o, r.Key, call, complete, err)
	case err != nil:
		return nil, err
	}
	return result, whole(result, r.Key, "", complete)
}

// seeTime has the client see the server's time, which goes into the records.
func (o *Once) seeTime(ctx context.Context) error {
	if o.timed.Load() {
		return nil
	}
	_, err := o.client.GetAccount(ctx, whozex.Fresh())
	o.timed.Store(err == nil)
	return err
}

// invalid is what the client has to say of the call's parameters, which must not
// cost a reading call.
func invalid[T any](ctx context.Context, o *Once, call caller[T]) error {
	_, err := call(o.stored.with(ctx, nil), o.stored.client)
	if wrong, ok := errors.AsType[*whozex.ParamError](err); ok {
		return wrong
	}
	return nil
}

// after looks at once for what became of a request whose response was lost.
func after[T any](ctx context.Context, o *Once, key string, call caller[T], complete completer[T], cause error) (*T, error) {
	r, err := o.store.get(ctx, key)
	if err != nil || r == nil {
		return nil, errors.Join(cause, err)
	}
	if r.State == Indeterminate && ctx.Err() == nil {
		if found, err := o.settleOwn(ctx, r); err == nil {
			r = found
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

// sending is one attempt of a key, from its claim to its end.
type sending struct {
	*Once
	claim    claim
	spec     *spec
	after    int64 // attempts of the key before
	buying   buyer
	packages *int

	tried, claimed bool
	ended          chan struct{}
}

// before is called before each request, and may be called again if it was slow. A
// process that was stopped in it for so long that its lease may be over renews the
// claim, or finds that it is gone.
func (s *sending) before(ctx context.Context, unknown *whozex.OutcomeUnknownError) error {
	unknown.PackagesBefore = s.packages
	s.tried = true
	for range mostHolds {
		began := time.Now()
		if err := s.hold(ctx, unknown); err != nil || elapsed(began) < s.lease/2 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return keyError(ErrFenced, s.claim.key, "the store is slower than half the lease, nothing was sent")
}

// mostHolds bounds how often a slow claim is renewed.
const mostHolds = 3

// elapsed is the time since t by the clock that says more: the monotonic one stops
// while the machine is suspended, and the wall clock may be set back.
func elapsed(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

func (s *sending) hold(ctx context.Context, unknown *whozex.OutcomeUnknownError) error {
	s.step(StepClaim)
	if err := s.store.db.Gone(); err != nil {
		return fmt.Errorf("idempotency: claim key %s, nothing was sent: %w", s.claim.key, err)
	}
	won, err := s.claimOrRenew(ctx, unknown)
	switch {
	case errors.Is(err, ErrUserBusy) || errors.Is(err, errRaced):
		return err
	case err != nil:
		return fmt.Errorf("idempotency: claim key %s, nothing was sent: %w", s.claim.key, err)
	case !won && !s.claimed:
		return errRaced
	case !won:
		return keyError(ErrFenced, s.claim.key, "nothing was sent")
	}
	if !s.claimed {
		s.claimed = true
		go s.renew()
	}
	s.step(StepClaimed)
	return nil
}

func (s *sending) claimOrRenew(ctx context.Context, unknown *whozex.OutcomeUnknownError) (bool, error) {
	switch {
	case s.claimed:
		return s.store.renew(ctx, &s.claim, unknown)
	case s.spec.operation == whozex.OpPurchasePackage:
		return s.store.purchase(ctx, &s.claim, s.spec, s.after, unknown, s.buying)
	}
	return s.store.insert(ctx, s.store.db, &s.claim, s.spec, s.after, unknown)
}

// renew keeps the lease while the call goes on. That it fails is no harm: then
// the claim may be lost, and before says so.
func (s *sending) renew() {
	ticks := time.NewTicker(s.lease / 3)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			ctx, cancel := context.WithTimeout(context.Background(), s.lease/3)
			_ = s.store.extend(ctx, &s.claim)
			cancel()
		case <-s.ended:
			return
		}
	}
}

// persist stores the end of the call, even if the caller's context has ended and
// while a database restarts. Where the claim failed it may have been committed all
// the same; one try gives it back, and otherwise its lease runs out.
func (s *sending) persist(ctx context.Context, end outcome) (stored bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if stored, err = s.store.end(ctx, &s.claim, end); err == nil || !s.claimed {
			return stored, err
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(wait):
		}
	}
}
