package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
)

// keptOfUser bounds the events that are kept of one user, and readOfAccount how
// many of the account's transactions are looked through for those of a user.
const (
	keptOfUser    = 100
	readOfAccount = 200
)

const eventsTable = `CREATE TABLE IF NOT EXISTS dashboard_events (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS dashboard_events_user ON dashboard_events (user_id, at)`

// keep stores an event of a user. One that was redelivered is there already.
func (s *store) keep(ctx context.Context, userID string, event *webhookverify.Event, at time.Time) error {
	id := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %s %s", event.Name, event.Timestamp, event.Data)))
	_, err := s.db.ExecContext(ctx, `INSERT OR IGNORE INTO dashboard_events (id, user_id, name, data, at) VALUES (?, ?, ?, ?, ?)`,
		id, userID, event.Name, string(event.Data), at.UnixMilli())
	if err == nil {
		_, err = s.db.ExecContext(ctx, `DELETE FROM dashboard_events WHERE user_id = ?1 AND id NOT IN
			(SELECT id FROM dashboard_events WHERE user_id = ?1 ORDER BY at DESC, id LIMIT ?2)`, userID, keptOfUser)
	}
	return err
}

// eventsOf has a user's events, newest first.
func (s *store) eventsOf(ctx context.Context, userID string) (all []happening, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, data, at FROM dashboard_events WHERE user_id = ? ORDER BY at DESC, id`, userID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var data []byte
		var at int64
		e := happening{}
		if err := rows.Scan(&e.Name, &data, &at); err != nil {
			return nil, err
		}
		e.At = time.UnixMilli(at)
		e.Text = describe(&webhookverify.Event{Name: e.Name, Data: data})
		all = append(all, e)
	}
	return all, rows.Err()
}

// movement is a change of a user's balance.
type movement struct {
	At            time.Time
	What, Note    string
	Amount, After decimal.NullDecimal
	Operation     string // its page, if it was made here
	Open          bool   // its outcome is unknown
}

// ledger is what is known of a user's money.
type ledger struct {
	Movements []movement // newest first
	Read      int        // transactions of the account
	Problem   string
}

// ledgerOf gathers it. The API lists the account's transactions without a word on
// whose each is, so only those count that name the user, a package of theirs or the
// key of a call made here. Calls and purchases that no transaction names are added.
func (d *dashboard) ledgerOf(ctx context.Context, user whozex.User, packages []known) (l ledger) {
	records, err := d.recordsOf(ctx, user.ID, packages)
	if err != nil {
		return ledger{Problem: explain(err)}
	}
	names := map[string]nameKind{lower(user.ID): aUser}
	if user.Email != "" {
		names[lower(user.Email)] = aUser
	}
	for _, k := range packages {
		names[lower(k.ID)] = aPackage
	}
	for _, r := range records {
		names[lower(r.Key)] = aKey
	}
	listed := map[string]bool{} // calls by key and purchases by package that the account's list has
	for page := 1; l.Read < readOfAccount; page++ {
		list, err := d.client.ListTransactions(ctx, whozex.ListTransactionsParams{Page: page, Limit: 100})
		if err != nil {
			l.Problem = explain(err)
			break
		}
		l.Read += len(list.Items)
		for _, t := range list.Items {
			found := mentioned(t.RawJSON(), names)
			if len(found) == 0 {
				continue
			}
			l.Movements = append(l.Movements, movement{At: t.CreatedAt, What: string(t.Type), Note: t.Note, Amount: t.Amount, After: t.BalanceAfter})
			for name, kind := range found {
				if kind == aKey || kind == aPackage && t.Type == whozex.TransactionPurchase {
					listed[name] = true
				}
			}
			if bought := purchaseOf(t, found, packages, listed); bought != "" {
				listed[lower(bought)] = true
			}
		}
		if len(list.Items) == 0 || !list.Pagination.HasNext {
			break
		}
	}
	for _, r := range records {
		if r.State == idempotency.Failed || listed[lower(r.Key)] || r.Operation == whozex.OpPurchasePackage && listed[lower(r.ResultID)] {
			continue
		}
		if r.Operation == whozex.OpPurchasePackage && r.ResultID != "" {
			listed[lower(r.ResultID)] = true
		}
		l.Movements = append(l.Movements, d.movementOf(ctx, r))
	}
	for _, k := range packages {
		if !listed[lower(k.ID)] {
			l.Movements = append(l.Movements, movement{At: k.CreatedAt, What: "purchase", Note: k.ID, Amount: decimal.NewNullDecimal(k.Cost.Neg())})
		}
	}
	slices.SortStableFunc(l.Movements, func(a, b movement) int { return b.At.Compare(a.At) })
	return l
}

// recordsOf has the calls that were made here about a user and the newest packages.
func (d *dashboard) recordsOf(ctx context.Context, userID string, packages []known) ([]*idempotency.Record, error) {
	all, err := d.once.ListSubject(ctx, userID)
	for _, k := range packages[:min(perShelf, len(packages))] {
		if err != nil {
			break
		}
		var found []*idempotency.Record
		found, err = d.once.ListSubject(ctx, k.ID)
		all = append(all, found...)
	}
	return all, err
}

// purchaseOf is the package of a purchase that names none: of that cost, at that time.
func purchaseOf(t whozex.Transaction, found map[string]nameKind, packages []known, listed map[string]bool) string {
	if t.Type != whozex.TransactionPurchase || slices.Contains(slices.Collect(maps.Values(found)), aPackage) {
		return ""
	}
	for _, k := range packages {
		if !listed[lower(k.ID)] && k.Cost.Equal(t.Amount.Decimal.Abs()) && k.CreatedAt.Sub(t.CreatedAt).Abs() < 2*time.Minute {
			return k.ID
		}
	}
	return ""
}

// movementOf is a call made here, by what is stored of it.
func (d *dashboard) movementOf(ctx context.Context, r *idempotency.Record) movement {
	op, ok := d.ops.get(r.Key)
	if !ok {
		op = d.recall(ctx, r)
	}
	op.fill(r)
	m := movement{At: r.CreatedAt, What: cmp.Or(op.Kind, string(r.Operation)), Note: cmp.Or(op.PackageID, op.Note), Operation: r.Key, Open: op.State != done}
	switch {
	case op.Amount.IsZero():
	case op.Kind == "top-up":
		m.Amount = decimal.NewNullDecimal(op.Amount)
	default:
		m.Amount = decimal.NewNullDecimal(op.Amount.Neg())
	}
	if !m.Open && op.PayerBefore.IsPositive() {
		m.After = decimal.NewNullDecimal(op.UserAfter)
	}
	return m
}

// nameKind is what a name in a transaction stands for.
type nameKind int

const (
	aUser nameKind = iota + 1
	aPackage
	aKey
)

// mentioned finds names among the words of an object's texts.
func mentioned(data []byte, names map[string]nameKind) map[string]nameKind {
	found := map[string]nameKind{}
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.Token()
		if err != nil {
			return found
		}
		text, _ := token.(string)
		for _, word := range strings.FieldsFunc(lower(text), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`,;:()[]<>"'`, r) }) {
			if word = strings.TrimRight(word, ".!?"); names[word] != 0 {
				found[word] = names[word]
			}
		}
	}
}

func lower(text string) string { return strings.ToLower(text) }
