package whozex

import "context"

func (c *Client) reconcilePurchase(ctx context.Context, unknown *OutcomeUnknownError, asked details) (Outcome, *listing, error) {
	var users []subUser
	var list *listing
	var err error
	if unknown.PackagesBefore != nil {
		// Packages are counted before the history is read, which then shows the entry of
		// each. The other way round, a package could be ours and the entry someone else's.
		if users, list, err = c.subUsers(ctx); err != nil {
			return Outcome{}, nil, err
		}
	}
	h, err := c.history(ctx, unknown)
	if err != nil {
		return Outcome{}, nil, err
	}
	if gap := h.incomplete(); gap != "" {
		return Outcome{Reason: gap}, h.listing, nil
	}
	var candidates []entry
	for _, e := range h.entries {
		if (e.Type == TransactionPurchase || !e.known()) && !h.ages.tooOld(string(e.Type), e.CreatedAt, h.window) {
			candidates = append(candidates, e)
		}
	}
	if list == nil && len(candidates) > 0 {
		if users, list, err = c.subUsers(ctx); err != nil {
			return Outcome{}, nil, err
		}
	}
	var outcome Outcome
	packages := (*int)(nil)
	if list != nil {
		others := map[string]bool{}
		for i, u := range users {
			others[u.ID] = u.ID != unknown.ID && u.ID != ""
			if u.ID == unknown.ID {
				outcome.User = &users[i].User
				packages = u.packages
			}
		}
		if list.gap != "" || outcome.User == nil {
			packages, others = nil, nil
		}
		candidates = notOf(others, candidates)
	}
	for _, e := range candidates {
		outcome.Transactions = append(outcome.Transactions, e.Transaction)
	}
	before := unknown.PackagesBefore
	switch {
	case len(candidates) == 0 && before != nil && packages != nil && *packages != *before:
		outcome.Reason = "there was no purchase since, but the number of the user's packages has changed: look at the user"
	case len(candidates) == 0:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "there was no purchase since"
	case len(candidates) > 1:
		outcome.Reason = "more than one transaction may be the purchase: look whether one is this user's"
	case before == nil || packages == nil:
		outcome.Reason = "a transaction may be the purchase, and it is not known how many packages the user had before: look whether it is this user's"
	case *packages != *before+1:
		outcome.Reason = "a transaction may be the purchase, and the user has not exactly one package more: look whether it is this user's"
	default:
		if wrong := h.mismatch(candidates[0], asked); wrong != "" {
			outcome.Reason = "a transaction may be the purchase, but " + wrong + ": look at it"
			break
		}
		outcome.Verdict, outcome.Reason = OutcomeApplied, "the user has one package more, and there was one purchase since"
	}
	return outcome, h.listing, nil
}

// notOf leaves out entries that name another sub-user.
func notOf(others map[string]bool, entries []entry) (rest []entry) {
	for _, e := range entries {
		id := ""
		for _, f := range e.fields {
			if f.name == "user_id" {
				id = textOf(f.value)
			}
		}
		if !others[id] {
			rest = append(rest, e)
		}
	}
	return rest
}
