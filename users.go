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

// User is one of your sub-users.
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

// AllUsers iterates over your sub-users page by page, from params.Page to the last, 100 a
// page unless params.Limit is set. Nothing is requested before a range begins, and each
// range starts again. An error is yielded once, with a zero User, and ends the
// iteration. [Prefetch] requests pages ahead.
//
// A list that grows shifts items onto later pages. The iterator remembers the ids of at
// least eight pages of items and skips what it has yielded; that suffices while the list
// grows by at most two pages between requests, no more than seven times in a row. Items
// without an id are never skipped. If items before the current position are removed, as
// many unread items are missed. Items added before it are not yielded.
//
// The iteration ends when has_next is false, on the last page that a response counts, on
// an empty page, and on the third page in a row without a new item, or later if the total
// shows that the list has grown.
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
	// Name defaults to the part of the email before the @.
	Name string `json:"name,omitempty"`
	// Note is for your own use; the API does not store it.
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

// CreateUser creates a sub-user, who can receive balance and packages at once. It returns
// [ErrEmailTaken] if the email is registered already. After an [OutcomeUnknownError]
// [Client.Reconcile] searches for the email. Repeating the call is harmless, since an
// email can be registered only once.
//
// POST /users
func (c *Client) CreateUser(ctx context.Context, params CreateUserParams, opts ...CallOption) (*User, error) {
	req := write(OpCreateUser, "/users")
	req.check(params.validate())
	req.body = params
	return call[User](ctx, c, req, opts)
}

// BalanceChange is the result of [Client.AddBalance] and [Client.DeductBalance].
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

// AddBalance moves amount, in USD and above zero, from your balance to the sub-user's. It
// returns [ErrInsufficientBalance] if yours is too low. The note appears in the
// transaction history: if it is unique, [Client.Reconcile] can find the call. After an
// [OutcomeUnknownError] repeat it only if Reconcile returns "not applied".
//
// POST /users/{user_id}/balance
func (c *Client) AddBalance(ctx context.Context, userID string, amount decimal.Decimal, note string, opts ...CallOption) (*BalanceChange, error) {
	return c.changeBalance(ctx, OpAddBalance, "add", userID, amount, note, opts)
}

// DeductBalance moves amount, in USD and above zero, from the sub-user's balance back to
// yours. Note and errors are those of [Client.AddBalance].
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

// money encodes as an exact JSON number, whatever the globals of package decimal are.
type money decimal.Decimal

// MarshalJSON implements [json.Marshaler].
func (m money) MarshalJSON() ([]byte, error) {
	d := decimal.Decimal(m)
	return []byte(d.StringFixed(max(-d.Exponent(), 0))), nil
}

var _ json.Marshaler = money{}

func checkAmount(amount decimal.Decimal) error {
	if !amount.IsPositive() {
		// The amount is not printed: a huge exponent would fill gigabytes.
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
