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

// maxUserEvents bounds the stored events of a user, maxTransactions the transactions of
// the account that are searched for those of a user.
const (
	maxUserEvents   = 100
	maxTransactions = 200
)

const eventsTable = `CREATE TABLE IF NOT EXISTS dashboard_events (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, name TEXT NOT NULL, data TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS dashboard_events_user ON dashboard_events (user_id, at)`

// keep stores an event of a user. A redelivered event is stored once.
func (s *store) keep(ctx context.Context, userID string, event *webhookverify.Event, at time.Time) error {
	id := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %s %s", event.Name, event.Timestamp, event.Data)))
	_, err := s.db.ExecContext(ctx, `INSERT OR IGNORE INTO dashboard_events (id, user_id, name, data, at) VALUES (?, ?, ?, ?, ?)`,
		id, userID, event.Name, string(event.Data), at.UnixMilli())
	if err == nil {
		_, err = s.db.ExecContext(ctx, `DELETE FROM dashboard_events WHERE user_id = ?1 AND id NOT IN
			(SELECT id FROM dashboard_events WHERE user_id = ?1 ORDER BY at DESC, id LIMIT ?2)`, userID, maxUserEvents)
	}
	return err
}

// eventsOf returns a user's events, newest first.
func (s *store) eventsOf(ctx context.Context, userID string) (all []eventView, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name, data, at FROM dashboard_events WHERE user_id = ? ORDER BY at DESC, id`, userID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var data []byte
		var at int64
		e := eventView{}
		if err := rows.Scan(&e.Name, &data, &at); err != nil {
			return nil, err
		}
		e.At = time.UnixMilli(at)
		e.Text = describe(&webhookverify.Event{Name: e.Name, Data: data})
		all = append(all, e)
	}
	return all, rows.Err()
}

// movement is an entry of the ledger: a change of a user's balance.
type movement struct {
	At            time.Time
	What, Note    string
	Amount, After decimal.NullDecimal
	Operation     string // its id, if it was made here
	Open          bool   // its outcome is unknown
}

// ledger lists the known changes of a user's balance.
type ledger struct {
	Movements []movement // newest first
	Read      int        // transactions of the account
	Problem   string
}

// ledgerOf returns the ledger of a user. The API does not document which user a
// transaction belongs to, so it takes those that name the user, one of the user's
// packages or the key of a call made here, and adds the calls and purchases that no
// transaction names.
func (d *dashboard) ledgerOf(ctx context.Context, user whozex.User, packages []knownPackage) (l ledger) {
	records, err := d.recordsOf(ctx, user.ID, packages)
	if err != nil {
		return ledger{Problem: explain(err)}
	}
	names := map[string]nameKind{lower(user.ID): nameOfUser}
	if user.Email != "" {
		names[lower(user.Email)] = nameOfUser
	}
	for _, k := range packages {
		names[lower(k.ID)] = nameOfPackage
	}
	for _, r := range records {
		names[lower(r.Key)] = nameOfKey
	}
	listed := map[string]bool{} // keys of calls, and packages of purchases, that a transaction names
	for page := 1; l.Read < maxTransactions; page++ {
		list, err := d.client.ListTransactions(ctx, whozex.ListTransactionsParams{Page: page, Limit: 100})
		if err != nil {
			l.Problem = explain(err)
			break
		}
		l.Read += len(list.Items)
		for _, t := range list.Items {
			found := findNames(t.RawJSON(), names)
			if len(found) == 0 {
				continue
			}
			l.Movements = append(l.Movements, movement{At: t.CreatedAt, What: string(t.Type), Note: t.Note, Amount: t.Amount, After: t.BalanceAfter})
			for name, kind := range found {
				if kind == nameOfKey || kind == nameOfPackage && t.Type == whozex.TransactionPurchase {
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

// recordsOf returns the records of calls made here for a user and for the newest of the
// user's packages.
func (d *dashboard) recordsOf(ctx context.Context, userID string, packages []knownPackage) ([]*idempotency.Record, error) {
	all, err := d.once.ListSubject(ctx, userID)
	for _, k := range packages[:min(maxPackages, len(packages))] {
		if err != nil {
			break
		}
		var found []*idempotency.Record
		found, err = d.once.ListSubject(ctx, k.ID)
		all = append(all, found...)
	}
	return all, err
}

// purchaseOf matches a purchase that names no package to one by cost and time.
func purchaseOf(t whozex.Transaction, found map[string]nameKind, packages []knownPackage, listed map[string]bool) string {
	if t.Type != whozex.TransactionPurchase || slices.Contains(slices.Collect(maps.Values(found)), nameOfPackage) {
		return ""
	}
	for _, k := range packages {
		if !listed[lower(k.ID)] && k.Cost.Equal(t.Amount.Decimal.Abs()) && k.CreatedAt.Sub(t.CreatedAt).Abs() < 2*time.Minute {
			return k.ID
		}
	}
	return ""
}

// movementOf makes the entry for a call made here from its record.
func (d *dashboard) movementOf(ctx context.Context, r *idempotency.Record) movement {
	op, ok := d.ops.get(r.Key)
	if !ok {
		op = d.restore(ctx, r)
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

// nameKind is the kind of thing that a name in a transaction names.
type nameKind int

const (
	nameOfUser nameKind = iota + 1
	nameOfPackage
	nameOfKey
)

// findNames finds names among the words in all strings of a JSON object.
func findNames(data []byte, names map[string]nameKind) map[string]nameKind {
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
