package whozex

import (
	"context"
	"strings"

	"github.com/shopspring/decimal"
)

func (c *Client) reconcileNote(ctx context.Context, unknown *OutcomeUnknownError, asked callDetails) (Outcome, *listing, error) {
	switch {
	case unknown.Operation != OpAddGB && !asked.Amount.Valid:
		return undecided("the request, with the amount, is not known"), nil, nil
	case strings.TrimSpace(asked.Note) == "":
		return undecided("without a note it cannot be told from others like it: look for it in the history by its amount and time"), nil, nil
	}
	h, err := c.history(ctx, unknown, asked.decoded)
	if err != nil {
		return Outcome{}, nil, err
	}
	gap := h.gap
	var outcome Outcome
	var own []*entry
	for i := range h.entries {
		e := &h.entries[i]
		if gap == "" && e.field("note") == nil && e.field("description") == nil {
			gap = "there are transactions without a field for the note: look at the history"
		}
		if e.mentions(asked.Note) {
			own = append(own, e)
			outcome.Transactions = append(outcome.Transactions, e.Transaction)
		}
	}
	switch {
	case gap != "":
		outcome.Reason = gap
	case len(own) > 1:
		outcome.Reason = "more than one transaction may have the note: look at them"
	case len(own) == 1:
		if wrong := h.mismatch(own[0], asked); wrong != "" {
			outcome.Reason = "a transaction may have the note, but " + wrong + ": look at it"
			break
		}
		outcome.Verdict, outcome.Reason = OutcomeApplied, "a transaction since has the note"
	default:
		return h.noteAbsent(asked), h.listing, nil
	}
	return outcome, h.listing, nil
}

// noteAbsent decides the outcome if the history does not contain the note.
func (h *history) noteAbsent(asked callDetails) Outcome {
	kind := TransactionDeposit
	if asked.op == OpAddGB {
		kind = TransactionAddGB
	}
	if gap := h.whyIncomplete(); gap != "" {
		return Outcome{Reason: gap}
	}
	if !canonicalNote(asked.Note) {
		return undecided("no transaction has the note, but it is one that a server may store in another form: look at the latest")
	}
	for _, e := range h.entries {
		// A description may be the server's own text, instead of a note that is not shown.
		lost := canonical(textOf(e.field("note"))) == "" && (e.Type == kind || !e.known()) || e.truncates(asked.Note) || e.hasLettersOf(asked.Note)
		if lost && !h.ages.tooOld(string(e.Type), e.CreatedAt, h.window) {
			return Outcome{
				Reason:       "no transaction has the note, but one may be the call's with its note left out or stored in another form: look at it",
				Transactions: []Transaction{e.Transaction},
			}
		}
	}
	return Outcome{Verdict: OutcomeNotApplied, Reason: "no transaction has the note"}
}

// canonicalNote reports whether no server has a reason to trim, truncate or escape the
// note, or to read it as a number.
func canonicalNote(note string) bool {
	const exact = 15 // digits that a float64 has
	number, err := decimal.NewFromString(note)
	return (err != nil || number.String() == note && len(note) <= exact) &&
		len(note) <= 100 && canonical(note) != "" && strings.TrimSpace(note) == note && !strings.Contains(note, "  ") &&
		strings.Trim(strings.ToLower(note), "abcdefghijklmnopqrstuvwxyz0123456789 -_.:") == ""
}
