package idempotency

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/whozex/whozex-go"
)

// State is how far an idempotency key has come.
type State string

// The states. Only failed may be tried again.
const (
	// Pending means that the request may have left and has not ended. While the
	// lease of its process runs it is in progress.
	Pending State = "pending"
	// Succeeded means that it was carried out.
	Succeeded State = "succeeded"
	// Failed means that it was certainly not carried out.
	Failed State = "failed"
	// Indeterminate means that nothing tells yet whether it was carried out.
	Indeterminate State = "indeterminate"
)

// Source is what a final state rests on.
type Source string

// The sources.
const (
	FromResponse  Source = "response"
	FromReconcile Source = "reconcile" // by [whozex.Client.Reconcile]
	FromEvent     Source = "event"     // by [Once.HandleEvent]
	FromPerson    Source = "person"    // by [Once.Resolve]
)

// Record is the row of an idempotency key. Times are by the database's clock.
type Record struct {
	Key       string
	Operation whozex.Operation
	// SubjectID is the user or the package that the call is about; empty for
	// CreateUser and CreateWebhook.
	SubjectID string
	// Params are the call's other parameters as JSON, in a canonical form.
	Params json.RawMessage
	State  State
	// Attempts counts how often the key was claimed for sending.
	Attempts int64
	// Source is empty while the row is open.
	Source Source
	// ResultID is of the package, user or webhook; empty while it is not known,
	// which after a success means that the response was lost.
	ResultID string
	// Reason says why it failed, or why it is not known what became of it.
	Reason string
	// NotBefore is set when it is only too early to tell: settle it again then.
	NotBefore time.Time
	// Unknown is what [whozex.Client.Reconcile] needs. Its SentAt is by the clock
	// of the machine that sent.
	Unknown *whozex.OutcomeUnknownError
	// InProgress means that the row is pending and its process alive.
	InProgress           bool
	CreatedAt, UpdatedAt time.Time

	params   string
	owner    string
	response []byte
	heard    []string
}

// open reports whether money may have moved and the result is not known.
func (r *Record) open() bool {
	return r.awaited() || r.State == Succeeded && r.ResultID == ""
}

// awaited reports whether it is not known whether money has moved.
func (r *Record) awaited() bool { return r.State == Pending || r.State == Indeterminate }

// String names key, operation and state, and no secret.
func (r *Record) String() string {
	return fmt.Sprintf("%s of key %s: %s", r.Operation, r.Key, r.State)
}

// Format implements [fmt.Formatter]: every verb prints what String returns, and not the
// stored response.
func (r Record) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), r.String())
}
