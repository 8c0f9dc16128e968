package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

// State is the state of an event in the inbox.
type State string

// The states.
const (
	Waiting State = "waiting" // for a worker, an earlier event of its stream, or the end of its back-off
	Running State = "running" // a worker has claimed it
	Done    State = "done"
	Dead    State = "dead" // it failed for good; [Inbox.Retry] runs it again
)

// Entry is an event in the inbox. Its times are those of the database's clock.
type Entry struct {
	// Event is the event as it was received.
	Event *webhookverify.Event
	// State is the event's current state.
	State State
	// Attempts is how often a worker has claimed the event since it was received, or
	// since [Inbox.Retry].
	Attempts int64
	// Reason is the error of the last failed attempt, cut to 1000 bytes.
	Reason string
	// ReceivedAt is when the event was first received, UpdatedAt when its state last
	// changed.
	ReceivedAt, UpdatedAt time.Time

	stream string
}

// Dead returns at most limit dead events, the one that has been dead for longest
// first.
func (in *Inbox) Dead(ctx context.Context, limit int) (dead []*Entry, err error) {
	rows, err := in.db.QueryContext(ctx, in.db.SQL(`SELECT `+columns+` FROM whozex_inbox
		WHERE state = 'dead' ORDER BY updated_at, seq LIMIT $1`), limit)
	if err != nil {
		return nil, fmt.Errorf("inbox: list dead events: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		entry, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("inbox: list dead events: %w", err)
		}
		dead = append(dead, entry)
	}
	return dead, rows.Err()
}

// Retry makes a dead event waiting again, with a new count of attempts, after the
// waiting events of its stream. The error is [ErrNotDead] if the event is in another
// state or unknown.
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

// purgeBatch is how many events Purge deletes in one statement, so that other writers
// do not wait for all of it.
const purgeBatch = 1000

// Purge deletes the events that were done before the given time, by the database's
// clock. It returns how many it deleted, even with an error. An event that is
// redelivered after its deletion is handled again.
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

// Counts is the number of events in each state.
type Counts struct {
	Waiting, Running, Done, Dead int64
}

// Counts counts the events, for metrics. It scans whole indexes: call it once a
// minute, not once a request.
func (in *Inbox) Counts(ctx context.Context) (c Counts, err error) {
	const count = `(SELECT COUNT(*) FROM whozex_inbox WHERE `
	const open = `state IN ('waiting', 'running') AND ` // the condition of the partial index
	err = in.db.QueryRowContext(ctx, `SELECT `+count+open+`state = 'waiting'), `+count+open+`state = 'running'), `+
		count+`state = 'done'), `+count+`state = 'dead')`).Scan(&c.Waiting, &c.Running, &c.Done, &c.Dead)
	if err != nil {
		return c, fmt.Errorf("inbox: count: %w", err)
	}
	return c, nil
}
