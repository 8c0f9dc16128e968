package idempotency

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/whozex/whozex-go"
)

// State is the state of an idempotency key.
type State string

// The states. Only a call that failed is sent again.
const (
	// Pending means that the request may have been sent and has not ended. It is in
	// progress until the lease of its process is over.
	Pending State = "pending"
	// Succeeded means that the call was carried out.
	Succeeded State = "succeeded"
	// Failed means that the call was certainly not carried out.
	Failed State = "failed"
	// Indeterminate means that it is not yet known whether the call was carried out.
	Indeterminate State = "indeterminate"
)

// Source is the evidence for a final state.
type Source string

// The sources.
const (
	FromResponse  Source = "response"  // the response to the call
	FromReconcile Source = "reconcile" // [whozex.Client.Reconcile]
	FromEvent     Source = "event"     // [Once.HandleEvent]
	FromPerson    Source = "person"    // [Once.Resolve]
)

// Record is the row of an idempotency key. CreatedAt and UpdatedAt use the
// database's clock.
type Record struct {
	Key       string
	Operation whozex.Operation
	// SubjectID is the id of the user or package that the call changes. It is empty
	// for CreateUser and CreateWebhook.
	SubjectID string
	// Params are the call's other parameters as JSON, in a canonical form.
	Params json.RawMessage
	State  State
	// Attempts counts how often the key was claimed to send a request.
	Attempts int64
	// Source is empty while the row is open.
	Source Source
	// ResultID is the id of the package, user or webhook. It is empty while the id
	// is unknown. If the call succeeded, that means that the response was lost.
	ResultID string
	// Reason explains why the call failed or why its outcome is unknown.
	Reason string
	// NotBefore is when Reconcile may be able to decide. It is zero if waiting does
	// not help.
	NotBefore time.Time
	// Unknown is the parameter of [whozex.Client.Reconcile]. Its SentAt uses the
	// clock of the machine that sent the request.
	Unknown *whozex.OutcomeUnknownError
	// InProgress means that the row is pending and its lease is not over.
	InProgress           bool
	CreatedAt, UpdatedAt time.Time

	params        string
	owner         string
	response      []byte
	eventPackages []string // ids of packages in events received while the row was open
}

// open reports whether the outcome or the id of the result is unknown.
func (r *Record) open() bool {
	return r.outcomeUnknown() || r.State == Succeeded && r.ResultID == ""
}

// outcomeUnknown reports whether it is unknown if the call was carried out.
func (r *Record) outcomeUnknown() bool { return r.State == Pending || r.State == Indeterminate }

// String returns the operation, key and state, and no secrets.
func (r *Record) String() string {
	return fmt.Sprintf("%s of key %s: %s", r.Operation, r.Key, r.State)
}

// Format implements [fmt.Formatter]: every verb prints what String returns, and not the
// stored response.
func (r Record) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), r.String())
}
