package whozex

import (
	"cmp"
	"context"
)

func (c *Client) reconcilePurchase(ctx context.Context, unknown *OutcomeUnknownError, asked callDetails) (Outcome, *listing, error) {
	// Packages are counted before the history is read, which then shows the entry of
	// each. The other way round, a package could be ours and the entry someone else's.
	users, l, err := c.subUsers(ctx)
	if err != nil {
		return Outcome{}, nil, err
	}
	h, err := c.history(ctx, unknown, asked.decoded)
	if err != nil {
		return Outcome{}, nil, err
	}
	if gap := cmp.Or(l.gap, h.whyIncomplete()); gap != "" {
		return Outcome{Reason: gap}, h.listing, nil
	}
	p := purchase{before: unknown.PackagesBefore}
	others := map[string]bool{}
	for i, u := range users {
		if u.ID == unknown.ID {
			p.buyer, p.packages = &users[i].User, u.packages
		} else if u.ID != "" {
			others[u.ID] = true
		}
	}
	for i := range h.entries {
		e := &h.entries[i]
		switch {
		case others[textOf(e.field("user_id"))] || h.ages.tooOld(string(e.Type), e.CreatedAt, h.window):
		case e.Type == TransactionPurchase || !e.known():
			p.candidates = append(p.candidates, e)
		case e.Type == TransactionAddGB:
			p.added = true
		}
	}
	return p.outcome(h, asked), h.listing, nil
}

// purchase is what shows whether a package was bought.
type purchase struct {
	buyer      *User
	packages   *int     // of the buyer; nil if not known
	before     *int     // before the call; nil if not known
	candidates []*entry // since the call, of which one may be the purchase
	added      bool     // whether GB were added to a package since
}

func (p *purchase) outcome(h *history, asked callDetails) Outcome {
	outcome := Outcome{User: p.buyer}
	for _, e := range p.candidates {
		outcome.Transactions = append(outcome.Transactions, e.Transaction)
	}
	switch {
	case p.packages == nil:
		outcome.Reason = "the user is not among the account's users, or without a number of packages: look at the list of users"
	case len(p.candidates) > 1:
		outcome.Reason = "more than one transaction may be the purchase: look whether one is this user's"
	case len(p.candidates) == 1:
		if outcome.Reason = p.whyNot(h, asked); outcome.Reason == "" {
			outcome.Verdict, outcome.Reason = OutcomeApplied, "the user has one package more, and there was one purchase since"
		}
	case p.before == nil && *p.packages != 0:
		outcome.Reason = "there was no purchase since, but it is not known how many packages the user had before: look at the user"
	case p.before != nil && *p.packages != *p.before:
		outcome.Reason = "there was no purchase since, but the number of the user's packages has changed: look at the user"
	case p.added:
		outcome.Reason = "there was no purchase since, but GB were added to a package, which may be how the server sold them: look at the history"
	default:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "there was no purchase since"
	}
	return outcome
}

// whyNot returns why the one candidate does not prove the purchase; empty if it does.
func (p *purchase) whyNot(h *history, asked callDetails) string {
	switch wrong := h.mismatch(p.candidates[0], asked); {
	case p.before == nil:
		return "a transaction may be the purchase, and it is not known how many packages the user had before: look whether it is this user's"
	case *p.packages != *p.before+1:
		return "a transaction may be the purchase, and the user has not exactly one package more: look whether it is this user's"
	case wrong != "":
		return "a transaction may be the purchase, but " + wrong + ": look at it"
	}
	return ""
}
