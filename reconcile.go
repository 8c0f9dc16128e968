package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Verdict says whether a call in doubt was carried out.
type Verdict string

// The verdicts of [Client.Reconcile].
const (
	OutcomeApplied    Verdict = "applied"
	OutcomeNotApplied Verdict = "not applied"
	OutcomeUndecided  Verdict = "undecided"
)

// Outcome is what [Client.Reconcile] found out about a call in doubt.
type Outcome struct {
	Verdict Verdict
	// Reason says in one sentence what the verdict rests on.
	Reason string
	// User is the sub-user with the email asked for, or the one who was to buy;
	// nil when not looked for or not found.
	User *User
	// Transactions are the entries of the history that may be the call's own.
	Transactions []Transaction
	// NotBefore is set when it is only too early to say "not applied": ask again
	// then.
	NotBefore time.Time
}

// How far a server's times can be trusted, once its clock is compared with the
// local one: something from clockSlack before the sending on may be the call's,
// and nothing from farSlack before can. What lies between decides nothing.
const (
	clockSlack = 5 * time.Second
	farSlack   = 10 * time.Minute
)

// Reconcile looks for traces of a call that ended with an
// [OutcomeUnknownError]. It only reads, and never from [WithCache].
//
//   - CreateUser: by a search for the email.
//   - AddBalance, DeductBalance, AddGB: by the note, amount and time of the
//     transactions. Without a note they stay undecided.
//   - PurchasePackage: not applied when there was no purchase at all since, or
//     the user has no package. Applied only if PackagesBefore was set in unknown,
//     the user has one more, and there was just one purchase since. The package's
//     id comes with the package.created webhook, see [EventPackageCreated].
//   - CreateWebhook, RegenerateKey, [Client.Do]: nothing in the API tells.
//
// An answer that arrived in part and says that it succeeded decides any of them.
//
// "Applied" and "not applied" are never guesses, provided that email or note were
// used for this one call alone: two possible causes, an entry whose fields
// cannot be read (their names are inferred), or a list that cannot be read to its
// end leave the outcome undecided. A request that got stuck may still be carried
// out, so nothing is "not applied" within [WithGrace] of its sending; then
// NotBefore says when to ask again.
//
// The error is that of a read that failed; the outcome is undecided then.
//
// GET /users and GET /account/transactions, whose items are inferred.
func (c *Client) Reconcile(ctx context.Context, unknown *OutcomeUnknownError) (Outcome, error) {
	began := time.Now()
	outcome, err := c.reconcile(ctx, unknown)
	if outcome.Verdict == "" || err != nil {
		outcome.Verdict = OutcomeUndecided
	}
	if outcome.Verdict != OutcomeNotApplied {
		return outcome, err
	}
	if settled := unknown.SentAt.Add(c.grace); began.Before(settled) {
		outcome.Verdict, outcome.NotBefore = OutcomeUndecided, settled
		outcome.Reason = "not yet: " + outcome.Reason
	}
	return outcome, err
}

func (c *Client) reconcile(ctx context.Context, unknown *OutcomeUnknownError) (Outcome, error) {
	if unknown == nil {
		return Outcome{}, missing("unknown outcome")
	}
	if saysSuccess(unknown) {
		return Outcome{Verdict: OutcomeApplied, Reason: "the part of the answer that arrived says so"}, nil
	}
	var asked details
	_ = json.Unmarshal(unknown.Request, &asked)
	var settle func(context.Context, *OutcomeUnknownError, details) (Outcome, error)
	switch unknown.Operation {
	case OpCreateUser:
		settle = c.reconcileUser
	case OpAddBalance, OpDeductBalance, OpAddGB:
		settle = c.reconcileNote
	case OpPurchasePackage:
		settle = c.reconcilePurchase
	default:
		return Outcome{Reason: "nothing in the API tells what became of it"}, nil
	}
	if unknown.SentAt.IsZero() {
		return Outcome{}, missing("sent_at")
	}
	return settle(ctx, unknown, asked)
}

// details are what Reconcile needs of the body of any request.
type details struct {
	Email  string              `json:"email"`
	Name   string              `json:"name"`
	Amount decimal.NullDecimal `json:"amount"`
	Note   string              `json:"note"`
}

// saysSuccess reads as much of an envelope as there is.
func saysSuccess(unknown *OutcomeUnknownError) bool {
	dec := json.NewDecoder(bytes.NewReader(unknown.Body))
	if start, err := dec.Token(); unknown.StatusCode/100 != 2 || err != nil || start != json.Delim('{') {
		return false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return false
		}
		if key == "success" {
			return string(value) == "true"
		}
	}
	return false
}

// found is a sub-user of a list, with what shows that its fields were recognised.
type found struct {
	User
	Packages *int `json:"package_count"`
}

func (f found) user() *User {
	if f.Packages != nil {
		f.PackageCount = *f.Packages
	}
	return &f.User
}

// users reads all sub-users that a search finds.
func (c *Client) users(ctx context.Context, search string, sent time.Time) (*extract[found], error) {
	req := read(OpListUsers, "/users")
	req.query = url.Values{}
	if search != "" {
		req.query.Set("search", search)
	}
	return readAll(ctx, c, req, func(f found) (string, time.Time) { return f.ID, f.CreatedAt }, sent, false)
}

func (c *Client) reconcileUser(ctx context.Context, unknown *OutcomeUnknownError, asked details) (Outcome, error) {
	if asked.Email == "" {
		return Outcome{Reason: "the request, with the email, is not known"}, nil
	}
	users, err := c.users(ctx, asked.Email, unknown.SentAt)
	if err != nil {
		return Outcome{}, err
	}
	var outcome Outcome
	for _, f := range users.items {
		switch {
		case f.Email == "":
			return Outcome{Reason: "there are users whose email cannot be read"}, nil
		case strings.EqualFold(f.Email, asked.Email):
			if outcome.User != nil {
				return Outcome{Reason: "more than one user has the email"}, nil
			}
			outcome.User = f.user()
		}
	}
	switch u := outcome.User; {
	case u == nil && !users.complete:
		outcome.Reason = "the list of users could not be read to its end"
	case u == nil && !plainEmail(asked.Email):
		outcome.Reason = "no user has the email, but it is one that a server may store in another form"
	case u == nil:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "no user has the email"
	case u.CreatedAt.IsZero() || users.since.IsZero():
		outcome.Reason = "a user has the email, but since when cannot be read"
	case u.CreatedAt.Before(users.since.Add(-farSlack)):
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "the user with the email was there before"
	case !users.within(u.CreatedAt):
		outcome.Reason = "a user has the email, and the time of its creation does not tell whose it is"
	case asked.Name != "" && u.Name != asked.Name:
		outcome.Reason = "the user with the email has another name"
	default:
		outcome.Verdict, outcome.Reason = OutcomeApplied, "a user with the email was created since"
	}
	return outcome, nil
}

// plainEmail reports whether no server has a reason to store another form of the
// email, as some do that take two for the same mailbox.
func plainEmail(email string) bool {
	local, domain, _ := strings.Cut(strings.ToLower(email), "@")
	dotless := domain == "gmail.com" || domain == "googlemail.com"
	return !strings.Contains(local, "+") && !(dotless && strings.Contains(local, "."))
}

func (c *Client) reconcilePurchase(ctx context.Context, unknown *OutcomeUnknownError, _ details) (Outcome, error) {
	history, err := c.history(ctx, unknown.SentAt)
	if err != nil {
		return Outcome{}, err
	}
	if reason := history.unclear(func(t Transaction) bool { return t.known() && t.Amount.Valid }); reason != "" {
		return Outcome{Reason: reason}, nil
	}
	var outcome Outcome
	for _, t := range history.items {
		if t.Type == TransactionPurchase && !t.CreatedAt.Before(history.since.Add(-farSlack)) {
			outcome.Transactions = append(outcome.Transactions, t)
		}
	}
	if len(outcome.Transactions) == 0 {
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "there was no purchase since"
		return outcome, nil
	}
	users, err := c.users(ctx, "", unknown.SentAt)
	if err != nil {
		return Outcome{}, err
	}
	var packages *int
	for _, f := range users.items {
		if f.ID == unknown.ID {
			outcome.User, packages = f.user(), f.Packages
		}
	}
	before := unknown.PackagesBefore
	switch {
	case packages == nil:
		outcome.Reason = "there were purchases since, and the user's packages cannot be counted"
	case *packages == 0:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "the user has no package"
	case before != nil && *packages == *before+1 && len(outcome.Transactions) == 1:
		outcome.Verdict, outcome.Reason = OutcomeApplied, "the user has one package more, and there was one purchase since"
	default:
		outcome.Reason = fmt.Sprintf("purchases since: %d, and the user has packages: %d", len(outcome.Transactions), *packages)
	}
	return outcome, nil
}
