package idempotency

import (
	"errors"
	"fmt"

	"github.com/whozex/whozex-go"
)

// The errors of this package, for [errors.Is]. With all of them but
// [ErrIndeterminate], [ErrResultLost] and [ErrNotStored] the call at hand sent
// nothing.
var (
	// ErrInvalidKey means that the idempotency key is empty, longer than 64
	// characters, or holds others than letters, digits and -_.:
	ErrInvalidKey = errors.New("idempotency: invalid key")
	// ErrKeyReused means that the key belongs to another operation, or to the same
	// with other parameters.
	ErrKeyReused = errors.New("idempotency: the key was used with other parameters")
	// ErrInProgress means that a process that lives is carrying out the key.
	ErrInProgress = errors.New("idempotency: the key is in progress")
	// ErrUserBusy means that another purchase of the same user is in progress or
	// indeterminate.
	ErrUserBusy = errors.New("idempotency: another purchase of the user is not settled")
	// ErrIndeterminate means that nothing tells whether the key was carried out,
	// see [IndeterminateError].
	ErrIndeterminate = errors.New("idempotency: outcome indeterminate")
	// ErrNotApplied means that a request of this key was lost and has certainly not
	// been carried out. The key may be tried again.
	ErrNotApplied = errors.New("idempotency: not carried out")
	// ErrFenced means that the process lost its claim to the key, since it was
	// stopped for longer than its lease, and did not send.
	ErrFenced = errors.New("idempotency: the claim to the key was lost")
	// ErrResultLost means that the call succeeded, once, and that the response with
	// the package's id or the webhook's secret was lost. The result that comes with
	// it holds what is known. A package.created event completes it, see
	// [Once.HandleEvent].
	ErrResultLost = errors.New("idempotency: it succeeded, but the result was lost")
	// ErrNotStored means that the call has ended and the store did not take how.
	// The result, or the other error in the chain, is that of the call. The key
	// stays pending, and is settled once its lease is over.
	ErrNotStored = errors.New("idempotency: the outcome could not be stored")
	// ErrUnknownKey means that the store has no row of the key.
	ErrUnknownKey = errors.New("idempotency: unknown key")
)

// IndeterminateError is a key of which nothing tells whether it was carried out.
// It matches [ErrIndeterminate] and [whozex.ErrOutcomeUnknown].
type IndeterminateError struct {
	// Record says what a person needs: the operation, the user or package, when it
	// was sent, the reason, and when it is worth asking again.
	Record *Record
}

// Error says what is not known and why.
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
