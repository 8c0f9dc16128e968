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
	h, err := c.history(ctx, unknown)
	if err != nil {
		return Outcome{}, nil, err
	}
	if gap := cmp.Or(l.gap, h.whyIncomplete()); gap != "" {
		return Outcome{Reason: gap}, h.listing, nil
	}
	var outcome Outcome
	var packages *int
	others := map[string]bool{}
	for i, u := range users {
		if u.ID == unknown.ID {
			outcome.User, packages = &users[i].User, u.packages
		} else if u.ID != "" {
			others[u.ID] = true
		}
	}
	var candidates []*entry
	added := false
	for i := range h.entries {
		e := &h.entries[i]
		switch {
		case others[textOf(e.field("user_id"))] || h.ages.tooOld(string(e.Type), e.CreatedAt, h.window):
		case e.Type == TransactionPurchase || !e.known():
			candidates = append(candidates, e)
			outcome.Transactions = append(outcome.Transactions, e.Transaction)
		case e.Type == TransactionAddGB:
			added = true
		}
	}
	before := 0
	if unknown.PackagesBefore != nil {
		before = *unknown.PackagesBefore
	}
	switch {
	case packages == nil:
		outcome.Reason = "the user is not among the account's users, or without a number of packages: look at the list of users"
	case len(candidates) > 1:
		outcome.Reason = "more than one transaction may be the purchase: look whether one is this user's"
	case len(candidates) == 1 && unknown.PackagesBefore == nil:
		outcome.Reason = "a transaction may be the purchase, and it is not known how many packages the user had before: look whether it is this user's"
	case len(candidates) == 1 && *packages != before+1:
		outcome.Reason = "a transaction may be the purchase, and the user has not exactly one package more: look whether it is this user's"
	case len(candidates) == 1:
		if wrong := h.mismatch(candidates[0], asked); wrong != "" {
			outcome.Reason = "a transaction may be the purchase, but " + wrong + ": look at it"
			break
		}
		outcome.Verdict, outcome.Reason = OutcomeApplied, "the user has one package more, and there was one purchase since"
	case *packages != before && unknown.PackagesBefore == nil:
		outcome.Reason = "there was no purchase since, but it is not known how many packages the user had before: look at the user"
	case *packages != before:
		outcome.Reason = "there was no purchase since, but the number of the user's packages has changed: look at the user"
	case added:
		outcome.Reason = "there was no purchase since, but GB were added to a package, which may be how the server sold them: look at the history"
	default:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "there was no purchase since"
	}
	return outcome, h.listing, nil
}
