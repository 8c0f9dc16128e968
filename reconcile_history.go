package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"
)

// readPages bounds how much of a list is read for one call in doubt.
const readPages = 100

// extract is what was read of a list for a call in doubt.
type extract[T any] struct {
	items []T
	// complete tells that nothing from farSlack before the call on can be missing.
	complete bool

	sent time.Time // by the local clock
	// since is when the call was sent at the earliest, by the server's clock;
	// zero if the server does not tell the time.
	since time.Time
}

// within reports whether something of the server's time at can be the call's.
func (e *extract[T]) within(at time.Time) bool {
	return !at.Before(e.since) && !at.After(e.since.Add(time.Since(e.sent)+2*clockSlack))
}

// readAll reads a list, whole or, when newestFirst and it looks sorted that way,
// until everything is too old.
func readAll[T any](ctx context.Context, c *Client, req request, key func(T) (id string, created time.Time), sent time.Time, newestFirst bool) (*extract[T], error) {
	e := &extract[T]{sent: sent}
	query := req.query
	seen := map[string]bool{}
	order := descent{sorted: newestFirst}
	var total int
	for page := 1; page <= readPages; page++ {
		req.paged(page, maxPageSize)
		maps.Copy(req.query, query)
		var resp Response
		got, err := list[T](ctx, c, req, []CallOption{Fresh(), CaptureResponse(&resp)})
		if err != nil {
			return nil, err
		}
		if page == 1 {
			e.since, total = onServersClock(sent, &resp), got.Pagination.Total
		}
		for _, item := range got.Items {
			id, created := key(item)
			if id != "" && seen[id] {
				continue
			}
			seen[id] = true
			order.follow(created)
			e.items = append(e.items, item)
		}
		if !e.since.IsZero() && order.reached(e.since.Add(-farSlack)) {
			e.complete = true
			return e, nil
		}
		if !got.more(page) {
			e.complete = got.Pagination != Pagination{} && len(e.items) >= total
			return e, nil
		}
	}
	return e, nil
}

// descent watches whether times run from newest to oldest.
type descent struct {
	sorted, fell bool
	last         time.Time
}

func (d *descent) follow(at time.Time) {
	if !d.last.IsZero() {
		d.sorted = d.sorted && !at.After(d.last)
		d.fell = d.fell || at.Before(d.last)
	}
	d.last = at
}

// reached reports whether what follows is older than at, too.
func (d *descent) reached(at time.Time) bool {
	return d.sorted && d.fell && !d.last.IsZero() && d.last.Before(at)
}

// onServersClock translates a local time by the time of an answer that came just
// now, less what the clocks may be off.
func onServersClock(local time.Time, resp *Response) time.Time {
	now := resp.Meta.Timestamp
	if now.IsZero() {
		now, _ = http.ParseTime(resp.Header.Get("Date"))
	}
	if now.IsZero() {
		return time.Time{}
	}
	return local.Add(time.Until(now) - clockSlack)
}

type transactions struct{ *extract[Transaction] }

// history reads the transactions since sent, by the local clock.
func (c *Client) history(ctx context.Context, sent time.Time) (transactions, error) {
	req := read(OpListTransactions, "/account/transactions")
	e, err := readAll(ctx, c, req, func(t Transaction) (string, time.Time) { return t.ID, t.CreatedAt }, sent, true)
	return transactions{e}, err
}

// unclear says why nothing can be concluded from what is not in the history;
// empty if it can. Every entry must be recognised.
func (h transactions) unclear(recognised func(Transaction) bool) string {
	switch {
	case h.since.IsZero():
		return "the server does not tell its time"
	case !h.complete:
		return "the transactions could not be read to the time of the call"
	}
	for _, t := range h.items {
		if t.CreatedAt.IsZero() || !recognised(t) {
			return "there are transactions whose fields cannot be read"
		}
	}
	return ""
}

// known reports whether the type is one of the documented.
func (t Transaction) known() bool {
	return t.Type == TransactionDeposit || t.Type == TransactionPurchase || t.Type == TransactionAddGB
}

// hasNote reports whether there is a field for a note, even if it is null.
func (t Transaction) hasNote() bool {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(t.RawJSON(), &fields)
	return fields["note"] != nil || fields["description"] != nil
}

// mentions reports whether any text of the entry, whatever its name, holds text.
func (t Transaction) mentions(text string) bool {
	dec := json.NewDecoder(bytes.NewReader(t.RawJSON()))
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if s, ok := token.(string); ok && strings.Contains(s, text) {
			return true
		}
	}
}

func (c *Client) reconcileNote(ctx context.Context, unknown *OutcomeUnknownError, asked details) (Outcome, error) {
	switch {
	case unknown.Operation != OpAddGB && !asked.Amount.Valid:
		return Outcome{Reason: "the request, with the amount, is not known"}, nil
	case strings.TrimSpace(asked.Note) == "":
		return Outcome{Reason: "without a note it cannot be told from others like it"}, nil
	}
	history, err := c.history(ctx, unknown.SentAt)
	if err != nil {
		return Outcome{}, err
	}
	var outcome Outcome
	for _, t := range history.items {
		if t.mentions(asked.Note) {
			outcome.Transactions = append(outcome.Transactions, t)
		}
	}
	outcome.Reason = history.unclear(func(t Transaction) bool { return t.Amount.Valid && t.hasNote() })
	switch {
	case outcome.Reason != "":
	case len(outcome.Transactions) == 0 && !plain(asked.Note):
		outcome.Reason = "no transaction has the note, but it is one that a server may store in another form"
	case len(outcome.Transactions) == 0:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "no transaction has the note"
	case len(outcome.Transactions) > 1:
		outcome.Reason = "more than one transaction has the note"
	default:
		outcome.Reason = unlike(outcome.Transactions[0], unknown.Operation, asked, history)
		if outcome.Reason == "" {
			outcome.Verdict, outcome.Reason = OutcomeApplied, "a transaction since has the note"
		}
	}
	return outcome, nil
}

// plain reports whether no server has a reason to trim, cut or escape the note.
func plain(note string) bool {
	return len(note) <= 100 && strings.TrimSpace(note) == note && !strings.Contains(note, "  ") &&
		strings.Trim(strings.ToLower(note), "abcdefghijklmnopqrstuvwxyz0123456789 -_.:") == ""
}

// unlike says why the one transaction with the note may be another's; empty if
// it fits.
func unlike(t Transaction, op Operation, asked details, history transactions) string {
	switch {
	case t.Note != asked.Note:
		return "a transaction mentions the note, but not as its own"
	case !history.within(t.CreatedAt):
		return "the transaction with the note is of another time"
	case (op == OpAddGB) != (t.Type == TransactionAddGB) || !t.known() || t.Type == TransactionPurchase:
		return "the transaction with the note is of another type"
	case op != OpAddGB && !t.Amount.Decimal.Abs().Equal(asked.Amount.Decimal):
		return "the transaction with the note has another amount"
	}
	return ""
}
