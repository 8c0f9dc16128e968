package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/internal/lenient"
)

// Account is your reseller account.
type Account struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	// Balance is in USD.
	Balance decimal.Decimal `json:"balance"`
	IsVIP   bool            `json:"is_vip"`
	APIKey  KeyInfo         `json:"api_key"`
	Stats   AccountTotals   `json:"stats"`
	Pricing AccountPricing  `json:"pricing"`

	origin
}

// KeyInfo says when the account's API key was last used.
type KeyInfo struct {
	// LastUsedAt is zero if the key was never used.
	LastUsedAt time.Time `json:"last_used_at,omitzero" api:"null"`
}

// AccountTotals are the totals of an account.
type AccountTotals struct {
	Packages int `json:"packages"`
	SubUsers int `json:"sub_users"`
	// TotalSpent is in USD.
	TotalSpent decimal.Decimal `json:"total_spent"`
}

// AccountPricing is the price agreed for an account.
type AccountPricing struct {
	// CustomPricePerGB is in USD; null without a custom price.
	CustomPricePerGB decimal.NullDecimal `json:"custom_price_per_gb"`
}

// GetAccount returns your account: balance, totals and price.
//
// GET /account
func (c *Client) GetAccount(ctx context.Context, opts ...CallOption) (*Account, error) {
	return call[Account](ctx, c, read(OpGetAccount, "/account"), opts)
}

// AccountStats are statistics of your account. The API documents that they have spending,
// GB by proxy type and a chart of 30 days, but not the names of the fields. A field that
// was not found is empty; RawJSON has everything.
type AccountStats struct {
	// Spending is in USD, by the names that the API gives.
	Spending map[string]decimal.Decimal `json:"spending" api:"inferred"`
	// GBByProxyType is in GB, by proxy type.
	GBByProxyType map[string]decimal.Decimal `json:"gb_by_proxy_type" api:"inferred"`
	Chart         []ChartPoint               `json:"chart" api:"inferred,list"`

	origin
}

// UnmarshalJSON infers the fields; RawJSON has everything.
func (s *AccountStats) UnmarshalJSON(data []byte) error { return s.infer(data) }

func (s *AccountStats) infer(data []byte) error {
	found := valuesByName(data)
	*s = AccountStats{
		GBByProxyType: found.breakdown("gb", "type", "bandwidth"),
		Spending:      found.breakdown("spen", "cost"),
		Chart:         found.chart(),
	}
	return nil
}

// GetAccountStats returns statistics of your account.
//
// GET /account/stats
func (c *Client) GetAccountStats(ctx context.Context, opts ...CallOption) (*AccountStats, error) {
	return call[AccountStats](ctx, c, read(OpGetAccountStats, "/account/stats"), opts)
}

// RegeneratedKey is a new API key. The API does not document its field; the SDK
// reads api_key, key, new_key, new_api_key, or any text that starts with wx_.
type RegeneratedKey struct {
	APIKey Secret `json:"api_key" api:"inferred"`

	origin
}

// LogValue implements [slog.LogValuer] without the key.
func (k RegeneratedKey) LogValue() slog.Value { return logGroup(k) }

// Format implements [fmt.Formatter], see [Secret].
func (k RegeneratedKey) Format(f fmt.State, verb rune) {
	type plain RegeneratedKey
	k.origin = origin{} // %s would show its bytes
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(k))
}

// UnmarshalJSON finds the key. Data without one is an error.
func (k *RegeneratedKey) UnmarshalJSON(data []byte) error { return k.infer(data) }

func (k *RegeneratedKey) infer(data []byte) error {
	key, err := findKey(data)
	if err != nil {
		return err
	}
	*k = RegeneratedKey{APIKey: Secret(key)}
	return nil
}

var errNoKey = errors.New("no API key")

// findKey looks for the new API key under its likely names, then for any text, at any
// depth, that looks like one.
func findKey(data []byte) (string, error) {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(data, &fields)
	for _, name := range []string{"api_key", "key", "new_key", "new_api_key"} {
		var key string
		if json.Unmarshal(fields[name], &key) == nil && key != "" {
			return key, nil
		}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.Token()
		if err != nil {
			return "", errNoKey
		}
		if text, ok := token.(string); ok && strings.HasPrefix(text, "wx_") {
			return text, nil
		}
	}
}

// RegenerateKey revokes the current API key and returns a new one, which this client uses
// from then on. Store it: the old key stops working everywhere. After an
// [OutcomeUnknownError] the old key may be revoked; the error's Body may contain the new
// one.
//
// POST /account/regenerate-key
func (c *Client) RegenerateKey(ctx context.Context, opts ...CallOption) (*RegeneratedKey, error) {
	return call[RegeneratedKey](ctx, c, write(OpRegenerateKey, "/account/regenerate-key"), opts)
}

// TransactionType is what a transaction was for.
type TransactionType string

// The documented types.
const (
	TransactionDeposit  TransactionType = "deposit"
	TransactionPurchase TransactionType = "purchase"
	TransactionAddGB    TransactionType = "add_gb"
)

// Transaction is an entry of your account's history. The API does not document its
// fields: those that were not found are empty, and RawJSON has everything.
type Transaction struct {
	ID   string          `json:"id" api:"inferred"`
	Type TransactionType `json:"type" api:"inferred"`
	// Amount is in USD; null if not found.
	Amount decimal.NullDecimal `json:"amount" api:"inferred"`
	// BalanceAfter is in USD; null if not found.
	BalanceAfter decimal.NullDecimal `json:"balance_after" api:"inferred"`
	Note         string              `json:"note" api:"inferred,null,alias=description"`
	// CreatedAt is zero if not found.
	CreatedAt time.Time `json:"created_at,omitzero" api:"inferred"`

	origin
}

// UnmarshalJSON infers the fields; RawJSON has everything.
func (t *Transaction) UnmarshalJSON(data []byte) error {
	type plain Transaction
	*t = Transaction{}
	_, err := lenient.Decode(data, (*plain)(t), lenient.Source{Operation: string(OpListTransactions)})
	return err
}

// ListTransactionsParams choose a page of transactions.
type ListTransactionsParams struct {
	// Page counts from 1; 0 means the API's default, the first.
	Page int
	// Limit is the number of items a page, 1 to 100; 0 means the API's default, 20.
	Limit int
	// Type keeps one type only; empty keeps all.
	Type TransactionType
}

// ListTransactions returns one page of your account's history.
//
// GET /account/transactions
func (c *Client) ListTransactions(ctx context.Context, params ListTransactionsParams, opts ...CallOption) (*Page[Transaction], error) {
	req := read(OpListTransactions, "/account/transactions")
	req.paged(params.Page, params.Limit)
	if params.Type != "" {
		req.check(oneOf("type", params.Type, TransactionDeposit, TransactionPurchase, TransactionAddGB))
		req.query.Set("type", string(params.Type))
	}
	return list[Transaction](ctx, c, req, opts)
}

// AllTransactions iterates over your account's history page by page, from params.Page to
// the last, like [Client.AllUsers].
//
// GET /account/transactions
func (c *Client) AllTransactions(ctx context.Context, params ListTransactionsParams, opts ...PageOption) iter.Seq2[Transaction, error] {
	return all(ctx, params.Page, params.Limit, func(ctx context.Context, page, limit int, opts ...CallOption) (*Page[Transaction], error) {
		return c.ListTransactions(ctx, ListTransactionsParams{Page: page, Limit: limit, Type: params.Type}, opts...)
	}, func(t Transaction) string { return t.ID }, opts)
}
