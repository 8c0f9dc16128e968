package whozex

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/internal/lenient"
)

// User is a sub-user of yours.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	// Balance is in USD.
	Balance      decimal.Decimal `json:"balance"`
	PackageCount int             `json:"package_count"`
	CreatedAt    time.Time       `json:"created_at,omitzero"`

	origin
}

// ListUsersParams choose a page of sub-users.
type ListUsersParams struct {
	// Page counts from 1; 0 means the API's default, the first.
	Page int
	// Limit is the number of items a page, 1 to 100; 0 means the API's default, 20.
	Limit int
	// Search keeps users whose name or email matches; empty keeps all.
	Search string
}

// ListUsers returns one page of your sub-users.
//
// GET /users
func (c *Client) ListUsers(ctx context.Context, params ListUsersParams, opts ...CallOption) (*Page[User], error) {
	req := read(OpListUsers, "/users")
	req.paged(params.Page, params.Limit)
	if params.Search != "" {
		req.query.Set("search", params.Search)
	}
	return list[User](ctx, c, req, opts)
}

// AllUsers walks your sub-users page by page, from params.Page to the last, 100
// a page unless params.Limit says otherwise. Nothing is asked for before a range
// begins, and each range walks anew. An error is yielded once, with a zero User,
// and ends the walk. [Prefetch] reads ahead.
//
// A list that grows shifts what was read onto later pages. The walk remembers
// the ids of the last eight pages' worth of items at least, and leaves out what
// comes again; that suffices while the list grows by at most two pages between
// requests, no more than seven times in a row. Items without an id are never
// left out. Removing items moves unread ones onto pages already read: as many
// are skipped as are removed before the place of the reader. What is added
// before that place is not seen.
//
// The walk ends when has_next is false, on the last of the pages that an answer
// counts, on an empty page, and on the third page in a row without a new item,
// or later if the total says that the list has grown.
//
// GET /users
func (c *Client) AllUsers(ctx context.Context, params ListUsersParams, opts ...PageOption) iter.Seq2[User, error] {
	return all(ctx, params.Page, params.Limit, func(ctx context.Context, page, limit int, opts ...CallOption) (*Page[User], error) {
		return c.ListUsers(ctx, ListUsersParams{Page: page, Limit: limit, Search: params.Search}, opts...)
	}, func(u User) string { return u.ID }, opts)
}

// CreateUserParams describe a new sub-user.
type CreateUserParams struct {
	// Email is required and must be unique.
	Email string `json:"email"`
	// Name is, when empty, the part of the email before the @.
	Name string `json:"name,omitempty"`
	// Note is for you; the API does not store it.
	Note string `json:"note,omitempty"`
}

func (p CreateUserParams) validate() error {
	if p.Email == "" {
		return missing("email")
	}
	local, domain, found := strings.Cut(p.Email, "@")
	if !found || local == "" || domain == "" || strings.ContainsFunc(p.Email, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return invalid("email", "%q is not an address", p.Email)
	}
	return nil
}

// CreateUser creates a sub-user, ready to receive balance and packages. An email
// that is registered already gives [ErrEmailTaken]. After an
// [OutcomeUnknownError] [Client.Reconcile] searches for the email; trying again
// is harmless then, since an email can be registered once only.
//
// POST /users
func (c *Client) CreateUser(ctx context.Context, params CreateUserParams, opts ...CallOption) (*User, error) {
	req := write(OpCreateUser, "/users")
	req.check(params.validate())
	req.body = params
	return call[User](ctx, c, req, opts)
}

// BalanceChange is the result of moving money between you and a sub-user.
type BalanceChange struct {
	UserID string `json:"user_id" api:"path=AddBalance DeductBalance"`
	// Action is "add" or "deduct".
	Action string `json:"action"`
	// Amount and the balances after the change are in USD.
	Amount          decimal.Decimal `json:"amount"`
	UserBalance     decimal.Decimal `json:"user_balance"`
	ResellerBalance decimal.Decimal `json:"reseller_balance"`

	origin
}

// AddBalance moves amount, in USD and above zero, from your balance to the
// sub-user's. The note appears in the transaction history: make it unique, and
// an unknown outcome can be settled by it. [ErrInsufficientBalance] if yours is
// too low. After an [OutcomeUnknownError] do not try again before
// [Client.Reconcile], which looks for the note, has said "not applied".
//
// POST /users/{user_id}/balance
func (c *Client) AddBalance(ctx context.Context, userID string, amount decimal.Decimal, note string, opts ...CallOption) (*BalanceChange, error) {
	return c.changeBalance(ctx, OpAddBalance, "add", userID, amount, note, opts)
}

// DeductBalance moves amount, in USD and above zero, from the sub-user's balance
// back to yours. Note and errors are as for [Client.AddBalance].
//
// POST /users/{user_id}/balance
func (c *Client) DeductBalance(ctx context.Context, userID string, amount decimal.Decimal, note string, opts ...CallOption) (*BalanceChange, error) {
	return c.changeBalance(ctx, OpDeductBalance, "deduct", userID, amount, note, opts)
}

func (c *Client) changeBalance(ctx context.Context, op Operation, action, userID string, amount decimal.Decimal, note string, opts []CallOption) (*BalanceChange, error) {
	req := write(op, "/users/{user_id}/balance", userID)
	req.check(checkAmount(amount))
	req.body = balanceRequest{Action: action, Amount: money(amount), Note: note}
	return call[BalanceChange](ctx, c, req, opts)
}

type balanceRequest struct {
	Action string `json:"action"`
	Amount money  `json:"amount"`
	Note   string `json:"note,omitempty"`
}

// money goes out as an exact JSON number, whatever the program has set in
// decimal's globals.
type money decimal.Decimal

// MarshalJSON implements [json.Marshaler].
func (m money) MarshalJSON() ([]byte, error) {
	d := decimal.Decimal(m)
	return []byte(d.StringFixed(max(-d.Exponent(), 0))), nil
}

var _ json.Marshaler = money{}

func checkAmount(amount decimal.Decimal) error {
	if !amount.IsPositive() {
		// An absurd exponent must not be written out, not even in an error.
		if amount.IsZero() {
			return invalid("amount", "must be above zero")
		}
		return invalid("amount", "must be above zero, not negative")
	}
	if digits := amount.NumDigits() + int(max(amount.Exponent(), -amount.Exponent())); digits > lenient.MaxDigits {
		return invalid("amount", "has more than %d digits", lenient.MaxDigits)
	}
	return nil
}
