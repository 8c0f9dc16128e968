package whozex

import (
	"context"
	"slices"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// subUser is a sub-user with all its fields.
type subUser struct {
	User
	packages *int // nil if missing
	fields   []field
}

func (c *Client) subUsers(ctx context.Context) (users []subUser, l *listing, err error) {
	l, err = c.readWhole(ctx, OpListUsers, "/users")
	if err != nil {
		return nil, nil, err
	}
	for _, item := range l.items {
		var u subUser
		found, err := lenient.Decode(item, &u.User, lenient.Source{Operation: string(OpListUsers)})
		readable := err == nil && len(found.IDs)+len(found.Amounts) == 0
		if !slices.Contains(slices.Concat(found.Missing, found.Unread), "package_count") {
			u.packages = &u.PackageCount
		}
		if u.fields, readable = fieldsOf(item, readable); !readable && l.gap == "" {
			l.gap = "there are users whose fields cannot be read: look at the list of users"
		}
		users = append(users, u)
	}
	return users, l, nil
}

func (c *Client) reconcileUser(ctx context.Context, unknown *OutcomeUnknownError, asked callDetails) (Outcome, *listing, error) {
	if asked.Email == "" {
		return undecided("the request, with the email, is not known"), nil, nil
	}
	users, l, err := c.subUsers(ctx)
	if err != nil {
		return Outcome{}, nil, err
	}
	if l.gap != "" {
		return undecided("%s", l.gap), l, nil
	}
	age, w := itemAges{now: l.latest}, c.window(unknown, l)
	for _, u := range users {
		age.add("", u.CreatedAt)
	}
	var outcome Outcome
	var own []subUser
	for i, u := range users {
		switch {
		case strings.EqualFold(u.Email, asked.Email):
			outcome.User = &users[i].User
			own = append(own, u)
		case age.tooOld("", u.CreatedAt, w):
		case !canonicalEmail(u.Email):
			return undecided("there are users whose email cannot be read or may be written otherwise: look at the list of users"), l, nil
		case sameMailbox(asked.Email, u.Email):
			return undecided("the server may have stored the email as %q: look at that user", u.Email), l, nil
		}
	}
	switch {
	case len(own) > 1:
		outcome.Reason = "more than one user has the email: look at them"
	case len(own) == 0 && (!canonicalEmail(asked.Email) || strings.Contains(asked.Email, "+")):
		outcome.Reason = "no user has the email, but it is one that a server may store in another form: look at the users of that day"
	case len(own) == 0:
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "no user has the email"
	case age.tooOld("", own[0].CreatedAt, w):
		outcome.Verdict, outcome.Reason = OutcomeNotApplied, "the user with the email was there before"
	default:
		if wrong := own[0].mismatch(asked); wrong != "" {
			outcome.Reason = "a user has the email, but " + wrong + ": look at that user"
		} else if age.mixed || !w.holds(own[0].CreatedAt) {
			outcome.Reason = "a user has the email, and the time of its creation does not say whether it was there before: look at that user"
		} else {
			outcome.Verdict, outcome.Reason = OutcomeApplied, "a user with the email was created since"
		}
	}
	return outcome, l, nil
}

// mismatch returns why a user with the email may not be the call's; empty if it is.
func (u *subUser) mismatch(asked callDetails) string {
	for _, f := range u.fields {
		text := textOf(f.value)
		understood := false
		switch f.name {
		case "id", "name", "email", "balance", "package_count", "created_at":
			understood = true
		case "status":
			understood = strings.EqualFold(text, "active")
		case "updated_at":
			understood = sameTime(text, u.CreatedAt)
		case "note":
			understood = isEmpty(f.value) || text == asked.Note
		default:
			understood = negativeFields[f.name] && isNo(f.value)
		}
		if !understood {
			return "its field " + f.name + " is not understood, or says that it does not count"
		}
	}
	switch {
	case asked.Name != "" && u.Name != asked.Name:
		return "it has another name"
	case u.PackageCount != 0 || !u.Balance.IsZero():
		return "it has a balance or packages already, so that it may have been there before"
	}
	return ""
}

// canonicalEmail reports whether an email can be compared with others: ASCII, and not
// masked, quoted or truncated.
func canonicalEmail(email string) bool {
	local, domain, found := strings.Cut(strings.ToLower(email), "@")
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	return found && local != "" && strings.Contains(domain, ".") && len(email) <= 100 &&
		!strings.Contains(domain, "xn--") &&
		strings.Trim(domain, letters+"-.") == "" && strings.Trim(local, letters+"-._+") == ""
}

// sameMailbox reports whether a server may store asked as stored. Servers remove dots and
// tags, and map the domains of a provider to one, some with the mailbox in a subdomain, so
// domains are not compared.
func sameMailbox(asked, stored string) bool {
	local, domain, _ := strings.Cut(asked, "@")
	kept, _, _ := strings.Cut(stored, "@")
	form := canonical(kept)
	if form == canonical(local) {
		return true
	}
	for i, r := range local {
		if strings.ContainsRune("+-_.", r) && form == canonical(local[:i]) {
			return true
		}
	}
	labels := strings.Split(domain, ".")
	return len(labels) > 2 && form == canonical(labels[0])
}
