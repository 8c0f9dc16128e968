package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

// State is how far an event has come.
type State string

// The states.
const (
	Waiting State = "waiting" // for a worker, those before it, or the end of its back-off
	Running State = "running"
	Done    State = "done"
	Dead    State = "dead" // nothing happens until [Inbox.Retry]
)

// Entry is an event in the inbox. Times are by the database's clock.
type Entry struct {
	Event *webhookverify.Event
	State State
	// Attempts counts how often a worker claimed it since it was received or
	// retried.
	Attempts int64
	// Reason is the error of the last attempt that failed, of 1000 bytes at most.
	Reason                string
	ReceivedAt, UpdatedAt time.Time

	stream string
}

// Dead returns the events that are dead, those first that died first, limit of them
// at most.
func (in *Inbox) Dead(ctx context.Context, limit int) (dead []*Entry, err error) {
	rows, err := in.db.QueryContext(ctx, in.db.SQL(`SELECT `+columns+` FROM whozex_inbox
		WHERE state = 'dead' ORDER BY updated_at, seq LIMIT $1`), limit)
	if err != nil {
		return nil, fmt.Errorf("inbox: list the dead: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		entry, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("inbox: list the dead: %w", err)
		}
		dead = append(dead, entry)
	}
	return dead, rows.Err()
}

// Retry hands a dead event to the workers again, with all of its attempts, and
// behind those of its stream that have come meanwhile. The error is [ErrNotDead] if
// it is in another state, or unknown.
func (in *Inbox) Retry(ctx context.Context, id string) error {
	err := in.db.InTx(ctx, func(tx *sql.Tx) error {
		var stream string
		err := tx.QueryRowContext(ctx, in.db.SQL(`SELECT stream FROM whozex_inbox WHERE event_id = $1`), key(id)).Scan(&stream)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotDead
		}
		if err != nil {
			return err
		}
		if err := in.lockStream(ctx, tx, stream); err != nil {
			return err
		}
		retried, err := changed(tx.ExecContext(ctx, in.db.SQL(`UPDATE whozex_inbox
			SET state = 'waiting', attempt = 0, blocked = `+isBlocked+`, due_at = {now}, seq = `+in.nextSeq()+`, updated_at = {now}
			WHERE event_id = $1 AND state = 'dead'`), key(id), stream))
		if err == nil && !retried {
			err = ErrNotDead
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("inbox: retry %s: %w", id, err)
	}
	select {
	case in.received <- struct{}{}:
	default:
	}
	return nil
}

// purgeBatch is how many events Purge deletes at once: others can write in between.
const purgeBatch = 1000

// Purge deletes the events that were done before a time, by the database's clock,
// and returns how many, also along with an error. One that is delivered again after
// that is handled again.
func (in *Inbox) Purge(ctx context.Context, before time.Time) (deleted int64, err error) {
	for {
		result, err := in.db.ExecContext(ctx, in.db.SQL(`DELETE FROM whozex_inbox WHERE event_id IN (
			SELECT event_id FROM whozex_inbox WHERE state = 'done' AND updated_at < $1 LIMIT $2)`), before.UnixMilli(), purgeBatch)
		if err != nil {
			return deleted, fmt.Errorf("inbox: purge: %w", err)
		}
		n, err := result.RowsAffected()
		if deleted += n; n < purgeBatch || err != nil {
			return deleted, err
		}
	}
}

// Counts are the events of each state.
type Counts struct {
	Waiting, Running, Done, Dead int64
}

// Counts counts the events, for metrics. It reads indexes from end to end: once a
// minute is fine, once a call is not.
func (in *Inbox) Counts(ctx context.Context) (c Counts, err error) {
	const count = `(SELECT COUNT(*) FROM whozex_inbox WHERE `
	const open = `state IN ('waiting', 'running') AND ` // in the words of the index
	err = in.db.QueryRowContext(ctx, `SELECT `+count+open+`state = 'waiting'), `+count+open+`state = 'running'), `+
		count+`state = 'done'), `+count+`state = 'dead')`).Scan(&c.Waiting, &c.Running, &c.Done, &c.Dead)
	if err != nil {
		return c, fmt.Errorf("inbox: count: %w", err)
	}
	return c, nil
}
