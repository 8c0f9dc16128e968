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

// notices is a table of the orders whose result has not been delivered yet, in the
// database of the idempotency keys. A row is added before the call. It is deleted
// when the result has been delivered to the requester, or to an admin if the
// requester cannot be reached. So no result is lost in a crash or while Telegram is
// down.
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

// add adds an order whose result must be delivered.
func (n *notices) add(ctx context.Context, key string) error {
	return n.exec(ctx, `INSERT INTO bot_notices (order_key, told) VALUES (?1, '') ON CONFLICT (order_key) DO NOTHING`, key)
}

// setSent stores the last message about an order that is not final.
func (n *notices) setSent(ctx context.Context, key, text string) error {
	return n.exec(ctx, `UPDATE bot_notices SET told = ?2 WHERE order_key = ?1`, key, text)
}

func (n *notices) remove(ctx context.Context, key string) error {
	return n.exec(ctx, `DELETE FROM bot_notices WHERE order_key = ?1`, key)
}

// pending returns the last message about each order, by key.
func (n *notices) pending(ctx context.Context) (map[string]string, error) {
	rows, err := n.db.QueryContext(ctx, `SELECT order_key, told FROM bot_notices`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	messages := map[string]string{}
	for rows.Next() {
		var key, lastSent string
		if err := rows.Scan(&key, &lastSent); err != nil {
			return nil, err
		}
		messages[key] = lastSent
	}
	return messages, rows.Err()
}

// reportStatus sends the state of an order to its requester, or to the admins if
// the requester cannot be reached.
func (b *bot) reportStatus(ctx context.Context, o shop.Order, r *idempotency.Record) {
	b.sendStatus(ctx, o, statusText(o, r), r.State == idempotency.Failed || r.State == idempotency.Succeeded && (o.TopUp() || r.ResultID != ""))
}

func (b *bot) sendStatus(ctx context.Context, o shop.Order, text string, final bool) {
	key := o.Key()
	b.notifying.Store(key, true)
	defer b.notifying.Delete(key)
	err := b.deliver(ctx, o.Requester, text)
	delivered := err == nil
	if err != nil && permanent(err) {
		delivered = b.notifyAdmins(ctx, formatHTML("A message to %v about order %v could not be delivered: %v. The message was: ", o.Requester, key, failureText(err))+text)
	}
	switch {
	case !delivered:
		b.log.Warn("order status not delivered", "order", key, "error", err) // retryNotices tries again
		return
	case final:
		err = b.notices.remove(ctx, key)
	default:
		err = b.notices.setSent(ctx, key, text)
	}
	if err != nil {
		b.log.Error("notice not updated", "order", key, "error", err)
	}
}

// retryNotices delivers pending notices, now and at each interval until ctx ends.
func (b *bot) retryNotices(ctx context.Context, interval time.Duration) {
	for ctx.Err() == nil {
		pending, err := b.notices.pending(ctx)
		for key, lastSent := range pending {
			if _, notifying := b.notifying.Load(key); notifying || err != nil {
				continue
			}
			err = b.retryNotice(ctx, key, lastSent)
		}
		if err != nil && ctx.Err() == nil {
			b.log.Warn("notices not retried", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(interval):
		}
	}
}

func (b *bot) retryNotice(ctx context.Context, key, lastSent string) error {
	o, err := shop.ParseOrder(key)
	if err != nil {
		return b.notices.remove(ctx, key)
	}
	r, err := b.shop.Once.Get(ctx, key)
	switch {
	case errors.Is(err, idempotency.ErrUnknownKey): // the bot stopped before the call
		if _, executing := b.executing.Load(key); !executing {
			b.sendStatus(ctx, o, textNotCompleted, true)
		}
	case err != nil:
		return err
	case !r.InProgress && statusText(o, r) != lastSent:
		b.reportStatus(ctx, o, r)
	}
	return nil
}

// execute executes an order. If Execute returns an error and so reports no status,
// execute replies with the error.
func (b *bot) execute(ctx context.Context, chat int64, o shop.Order) error {
	key := o.Key()
	b.executing.Store(key, true)
	defer b.executing.Delete(key)
	if err := b.notices.add(ctx, key); err != nil {
		return err
	}
	err := b.shop.Execute(ctx, o)
	if err == nil || errors.Is(err, shop.ErrInProgress) {
		b.reply(ctx, chat, "", err)
		return nil
	}
	text := b.replyText("", err)
	if err = b.deliver(ctx, chat, text); err == nil ||
		permanent(err) && b.notifyAdmins(ctx, formatHTML("A message to %v about order %v could not be delivered: %v. The message was: ", chat, key, failureText(err))+text) {
		return b.notices.remove(ctx, key)
	}
	return nil // retryNotices delivers it
}
