package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/whozex/whozex-go/examples/internal/shop"
	"github.com/whozex/whozex-go/idempotency"
)

// notices are the orders whose end somebody waits for, beside the idempotency
// keys: a row is written before the call, and deleted when the asker, or an admin
// in the asker's place, knows how it ended. So neither a crash nor Telegram loses it.
type notices struct {
	db   *sql.DB
	bind func(string) string
}

func openNotices(ctx context.Context, dataSource string) (*notices, error) {
	n := &notices{bind: func(query string) string { return query }}
	driver, name := "pgx", dataSource
	if file, ok := strings.CutPrefix(dataSource, "sqlite:"); ok {
		separator := "?"
		if strings.Contains(file, "?") {
			separator = "&"
		}
		driver, name = "sqlite", file+separator+"_pragma=busy_timeout(10000)"
	} else {
		n.bind = strings.NewReplacer("?1", "$1", "?2", "$2").Replace
	}
	var err error
	if n.db, err = sql.Open(driver, name); err != nil {
		return nil, err
	}
	if err = n.exec(ctx, `CREATE TABLE IF NOT EXISTS bot_notices (order_key TEXT PRIMARY KEY, told TEXT NOT NULL)`); err != nil {
		return nil, errors.Join(err, n.db.Close())
	}
	return n, nil
}

func (n *notices) exec(ctx context.Context, query string, args ...any) error {
	_, err := n.db.ExecContext(ctx, n.bind(query), args...)
	return err
}

// expect notes that somebody waits for the end of an order.
func (n *notices) expect(ctx context.Context, key string) error {
	return n.exec(ctx, `INSERT INTO bot_notices (order_key, told) VALUES (?1, '') ON CONFLICT (order_key) DO NOTHING`, key)
}

// know notes what was said of an order that has not come to its end.
func (n *notices) know(ctx context.Context, key, text string) error {
	return n.exec(ctx, `UPDATE bot_notices SET told = ?2 WHERE order_key = ?1`, key, text)
}

func (n *notices) drop(ctx context.Context, key string) error {
	return n.exec(ctx, `DELETE FROM bot_notices WHERE order_key = ?1`, key)
}

// waiting has what was said last, by order key.
func (n *notices) waiting(ctx context.Context) (map[string]string, error) {
	rows, err := n.db.QueryContext(ctx, `SELECT order_key, told FROM bot_notices`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := map[string]string{}
	for rows.Next() {
		var key, told string
		if err := rows.Scan(&key, &told); err != nil {
			return nil, err
		}
		all[key] = told
	}
	return all, rows.Err()
}

// report says where an order stands. If the asker cannot be told at all, the
// admins are.
func (b *bot) report(ctx context.Context, o shop.Order, r *idempotency.Record) {
	b.inform(ctx, o, about(o, r), r.State == idempotency.Failed || r.State == idempotency.Succeeded && (o.TopUp() || r.ResultID != ""))
}

func (b *bot) inform(ctx context.Context, o shop.Order, text string, final bool) {
	key := o.Key()
	b.telling.Store(key, true)
	defer b.telling.Delete(key)
	err := b.deliver(ctx, o.Asker, text)
	known := err == nil
	if err != nil && permanent(err) {
		known = b.alarm(ctx, say("%v could not be told about order %v: %v. The message was: ", o.Asker, key, refusal(err))+text)
	}
	switch {
	case !known:
		b.log.Warn("report", "order", key, "error", err) // remind tries again
		return
	case final:
		err = b.notices.drop(ctx, key)
	default:
		err = b.notices.know(ctx, key, text)
	}
	if err != nil {
		b.log.Error("notices", "order", key, "error", err)
	}
}

// remind says, now and from time to time, what nobody has been told yet.
func (b *bot) remind(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		waiting, err := b.notices.waiting(ctx)
		for key, told := range waiting {
			if _, underWay := b.telling.Load(key); underWay || err != nil {
				continue
			}
			err = b.remindOf(ctx, key, told)
		}
		if err != nil && ctx.Err() == nil {
			b.log.Warn("remind", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

func (b *bot) remindOf(ctx context.Context, key, told string) error {
	o, err := shop.ParseOrder(key)
	if err != nil {
		return b.notices.drop(ctx, key)
	}
	r, err := b.shop.Once.Get(ctx, key)
	switch {
	case errors.Is(err, idempotency.ErrUnknownKey): // it ended before the call
		if _, carried := b.carrying.Load(key); !carried {
			b.inform(ctx, o, notCarriedOut, true)
		}
	case err != nil:
		return err
	case !r.InProgress && about(o, r) != told:
		b.report(ctx, o, r)
	}
	return nil
}

// carryOut carries an order out, and answers where no outcome is reported.
func (b *bot) carryOut(ctx context.Context, chat int64, o shop.Order) error {
	key := o.Key()
	b.carrying.Store(key, true)
	defer b.carrying.Delete(key)
	if err := b.notices.expect(ctx, key); err != nil {
		return err
	}
	err := b.shop.CarryOut(ctx, o)
	if err == nil || errors.Is(err, shop.ErrTaken) {
		b.answer(ctx, chat, "", err)
		return nil
	}
	text := b.wording("", err)
	if err = b.deliver(ctx, chat, text); err == nil ||
		permanent(err) && b.alarm(ctx, say("%v could not be told about order %v: %v. The message was: ", chat, key, refusal(err))+text) {
		return b.notices.drop(ctx, key)
	}
	return nil // remind says it
}
