package whozex

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/shopspring/decimal"
)

// Verdict is whether a call with an unknown outcome was carried out.
type Verdict string

// The verdicts of [Client.Reconcile].
const (
	OutcomeApplied    Verdict = "applied"
	OutcomeNotApplied Verdict = "not applied"
	OutcomeUndecided  Verdict = "undecided"
)

// Outcome is the result of [Client.Reconcile].
type Outcome struct {
	Verdict Verdict `json:"verdict"`
	// Reason is one sentence: what the verdict is based on or, if undecided, what a person
	// should look at.
	Reason string `json:"reason"`
	// User is the sub-user of CreateUser, or the buyer of PurchasePackage; nil if there
	// was no search or no match. From a truncated response it has the fields that
	// arrived.
	User *User `json:"user,omitempty"`
	// Transactions are the entries of the history that may be the call's own. There is
	// exactly one if the history decides "applied".
	Transactions []Transaction `json:"transactions,omitempty"`
	// Package is the package bought or extended, from a response that was received; nil
	// without a response that reports success, or if that has none of its fields.
	Package *Package `json:"package,omitempty"`
	// Change is the same for AddBalance and DeductBalance.
	Change *BalanceChange `json:"change,omitempty"`
	// Webhook is the same for CreateWebhook.
	Webhook *Webhook `json:"webhook,omitempty"`
	// APIKey is the same for RegenerateKey; empty if it was not received.
	APIKey Secret `json:"api_key,omitempty"`
	// NotBefore is when to call Reconcile again, by the local clock. It is set if only the
	// time is missing for "not applied".
	NotBefore time.Time `json:"not_before,omitzero"`
}

// LogValue implements [slog.LogValuer] without secrets.
func (o Outcome) LogValue() slog.Value { return logGroup(o) }

// Format implements [fmt.Formatter], see [Secret].
func (o Outcome) Format(f fmt.State, verb rune) {
	type plain Outcome
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(o))
}

// Reconcile looks for evidence of a call that ended with an [OutcomeUnknownError]. It only
// reads, and bypasses [WithCache].
//
//   - CreateUser: by the email, among all sub-users.
//   - AddBalance, DeductBalance, AddGB: by the note, among all transactions.
//     Without a note the outcome is undecided.
//   - PurchasePackage: not applied if no transaction after the call can be the
//     purchase, and the user has PackagesBefore packages, or none if it is not set.
//     Applied only if PackagesBefore is set, the user has one package more, and exactly
//     one transaction after the call can be the purchase. The package's id comes with
//     the package.created webhook, see [EventPackageCreated].
//   - CreateWebhook, RegenerateKey, [Client.Do]: the API has no evidence.
//
// For every operation, a response that was received, even in part, and reports success
// means "applied".
//
// "Applied" and "not applied" are never guesses. docs/reconcile.md lists the premises of
// both for each operation. Reconcile checks those that it can, and the outcome is
// undecided if a check fails: a list cannot be read completely (10,000 items at most), an
// entry has an unknown field, times do not agree. You have to ensure the others: the email
// or note is used for this call only, the client is of the same account, and no request
// is carried out later than [WithGrace] after its attempt ended. Before that time nothing
// is "not applied", and NotBefore is when to call Reconcile again.
//
// If a read fails, Reconcile returns its error, and the outcome is undecided.
//
// GET /users and GET /account/transactions
func (c *Client) Reconcile(ctx context.Context, unknown *OutcomeUnknownError) (Outcome, error) {
	began := time.Now()
	outcome, seen, err := c.reconcile(ctx, unknown)
	if outcome.Verdict == "" || err != nil {
		outcome.Verdict = OutcomeUndecided
	}
	if outcome.Verdict != OutcomeNotApplied {
		return outcome, err
	}
	reason, notBefore := c.tooEarly(unknown, began, seen)
	if unknown.StatusCode/100 == 2 {
		reason, notBefore = "the server's response had a status of success, yet", time.Time{}
	}
	if reason != "" {
		outcome.Verdict, outcome.NotBefore = OutcomeUndecided, notBefore
		outcome.Reason = reason + " " + outcome.Reason
	}
	return outcome, nil
}

// reconcile decides without the grace. seen is the list that was read first, nil without
// one.
func (c *Client) reconcile(ctx context.Context, unknown *OutcomeUnknownError) (outcome Outcome, seen *listing, err error) {
	if unknown == nil {
		return Outcome{}, nil, missing("unknown outcome")
	}
	if outcome, ok := receivedOutcome(unknown); ok {
		return outcome, nil, nil
	}
	var asked callDetails
	_ = json.Unmarshal(unknown.Request, &asked)
	asked.op, asked.id, asked.decoded = unknown.Operation, unknown.ID, map[string]entry{}
	var look func(context.Context, *OutcomeUnknownError, callDetails) (Outcome, *listing, error)
	switch unknown.Operation {
	case OpCreateUser:
		look = c.reconcileUser
	case OpAddBalance, OpDeductBalance, OpAddGB:
		look = c.reconcileNote
	case OpPurchasePackage:
		look = c.reconcilePurchase
	default:
		return Outcome{Reason: "nothing in the API shows what became of it"}, nil, nil
	}
	if unknown.SentAt.IsZero() {
		return Outcome{}, nil, missing("sent_at")
	}
	outcome, seen, err = look(ctx, unknown, asked)
	// "Applied" also depends on missing items: no second entry, no reversal.
	byAbsence := outcome.Verdict == OutcomeNotApplied || outcome.Verdict == OutcomeApplied && unknown.Operation != OpCreateUser
	if err != nil || !byAbsence {
		return outcome, seen, err
	}
	// Something removed from a page already read moves an item unseen onto that
	// page. Then a second reading lacks what was removed. It may also come from
	// another server, which does not lag behind.
	outcome, again, err := look(ctx, unknown, asked)
	if err == nil && outcome.Verdict != "" && !seen.within(again.ids) {
		outcome = undecided("the list lost an item while it was read: ask again")
	}
	return outcome, seen, err
}

// callDetails is what Reconcile needs of the request.
type callDetails struct {
	op Operation
	id string // of the user or package in the path
	// decoded is the entries that the first of two readings has decoded, by their texts.
	decoded map[string]entry

	Email     string              `json:"email"`
	Name      string              `json:"name"`
	Action    string              `json:"action"`
	Amount    decimal.NullDecimal `json:"amount"`
	Note      string              `json:"note"`
	GB        int                 `json:"gb"`
	ProxyType ProxyType           `json:"proxy_type"`
}

func undecided(format string, args ...any) Outcome {
	return Outcome{Reason: fmt.Sprintf(format, args...)}
}
