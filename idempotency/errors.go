package idempotency

import (
	"errors"
	"fmt"

	"github.com/whozex/whozex-go"
)

// The errors of this package, for [errors.Is]. With all of them except
// [ErrIndeterminate], [ErrResultLost], [ErrNotApplied] and [ErrNotStored], this
// call sent nothing.
var (
	// ErrInvalidKey means that the idempotency key is empty, longer than 64
	// characters, or has characters other than letters, digits and -_.:
	ErrInvalidKey = errors.New("idempotency: invalid key")
	// ErrKeyReused means that the key was used for another operation or with other
	// parameters.
	ErrKeyReused = errors.New("idempotency: the key was used with other parameters")
	// ErrInProgress means that a process is making the call right now.
	ErrInProgress = errors.New("idempotency: the key is in progress")
	// ErrUserBusy means that another purchase of the same user is in progress or
	// indeterminate.
	ErrUserBusy = errors.New("idempotency: another purchase of the user is in progress or indeterminate")
	// ErrIndeterminate means that it is unknown whether the call was carried out,
	// see [IndeterminateError].
	ErrIndeterminate = errors.New("idempotency: outcome indeterminate")
	// ErrNotApplied means that the response was lost, and that the call was
	// certainly not carried out. It can be made again with the same key.
	ErrNotApplied = errors.New("idempotency: the call was not carried out")
	// ErrFenced means that the process was suspended for longer than its lease,
	// lost its claim to the key, and did not send the request.
	ErrFenced = errors.New("idempotency: the claim to the key was lost")
	// ErrResultLost means that the call succeeded, but the response with the
	// package's id or the webhook's secret was lost. The returned result has only
	// what is known. A package.created event completes it, see [Once.HandleEvent].
	ErrResultLost = errors.New("idempotency: the call succeeded, but its result was lost")
	// ErrNotStored means that the call has ended, but its outcome could not be
	// stored. The returned result, or the other error in the chain, is that of the
	// call. The key stays pending until its lease is over and is then resolved.
	ErrNotStored = errors.New("idempotency: the outcome could not be stored")
	// ErrUnknownKey means that the store has no row for the key.
	ErrUnknownKey = errors.New("idempotency: unknown key")
)

// IndeterminateError means that it is unknown whether the call of a key was carried
// out. It matches [ErrIndeterminate] and [whozex.ErrOutcomeUnknown].
type IndeterminateError struct {
	// Record has what a person needs to decide: the operation, the user or
	// package, the time of the request, the reason, and when to ask again.
	Record *Record
}

// Error returns the operation, the key, the time of the request and the reason.
func (e *IndeterminateError) Error() string {
	sent := ""
	if unknown := e.Record.Unknown; unknown != nil {
		sent = " sent at " + unknown.SentAt.UTC().Format("2006-01-02 15:04:05") + " UTC"
	}
	return fmt.Sprintf("idempotency: %s of key %s%s is indeterminate: %s", e.Record.Operation, e.Record.Key, sent, e.Record.Reason)
}

// Unwrap makes both sentinels visible to [errors.Is].
func (e *IndeterminateError) Unwrap() []error {
	return []error{ErrIndeterminate, whozex.ErrOutcomeUnknown}
}

func keyError(err error, key, detail string) error {
	if detail != "" {
		detail = ": " + detail
	}
	return fmt.Errorf("%w: key %s%s", err, key, detail)
}
