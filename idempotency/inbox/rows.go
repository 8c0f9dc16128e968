package inbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/whozex/whozex-go/idempotency/internal/database"
	"github.com/whozex/whozex-go/webhookverify"
)

const columns = `event_id, stream, name, webhook, sent_at, data, body, state, attempt, reason, received_at, updated_at`

func scan(row interface{ Scan(...any) error }) (*Entry, error) {
	entry := &Entry{Event: new(webhookverify.Event)}
	var sentAt string
	var data []byte
	var received, updated int64
	err := row.Scan(&entry.Event.ID, &entry.stream, &entry.Event.Name, &entry.Event.Webhook, &sentAt, &data, &entry.Event.Body,
		&entry.State, &entry.Attempts, &entry.Reason, &received, &updated)
	if err != nil {
		return nil, err
	}
	entry.Event.Data = data
	entry.Event.Timestamp, _ = time.Parse(time.RFC3339Nano, sentAt) // zero if empty
	entry.ReceivedAt, entry.UpdatedAt = time.UnixMilli(received), time.UnixMilli(updated)
	return entry, nil
}

// job is an event that a worker of this process has claimed.
type job struct {
	inbox *Inbox
	*Entry
	claim string      // the fencing token
	done  atomic.Bool // Commit has been called and has not failed
}

// claim claims the event that has been due for longest, among those with no earlier
// event in their stream. It returns nil if there is none. An event whose worker died is
// due when its lease expires.
func (in *Inbox) claim(ctx context.Context) (*job, error) {
	var skipLocked string
	if in.db.Dialect == database.Postgres {
		skipLocked = ` FOR UPDATE SKIP LOCKED`
	}
	token := rand.Text()
	// SELECT {now} is evaluated once, so that PostgreSQL can look it up in the index.
	entry, err := scan(in.db.QueryRowContext(ctx, in.db.SQL(`UPDATE whozex_inbox
		SET state = 'running', attempt = attempt + 1, claim = $1, due_at = {now} + $2, updated_at = {now}
		WHERE event_id = (
			SELECT event_id FROM whozex_inbox
			WHERE state IN ('waiting', 'running') AND blocked = 0 AND due_at <= (SELECT {now})
			ORDER BY due_at, seq LIMIT 1`+skipLocked+`)
		RETURNING `+columns), token, in.lease.Milliseconds()))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &job{inbox: in, Entry: entry, claim: token}, nil
}

// limitWaits bounds each wait to the longest back-off or lease. A wait is longer only
// if the database's clock was set back.
func (in *Inbox) limitWaits(ctx context.Context) error {
	_, err := in.db.ExecContext(ctx, in.db.SQL(`UPDATE whozex_inbox SET due_at = {now} + $1
		WHERE state IN ('waiting', 'running') AND blocked = 0 AND due_at > (SELECT {now}) + $1`),
		max(in.maxBackoff, in.lease).Milliseconds())
	return err
}

// renew reports whether the claim still holds.
func (j *job) renew(ctx context.Context) (bool, error) {
	in := j.inbox
	return changed(in.db.ExecContext(ctx, in.db.SQL(`UPDATE whozex_inbox SET due_at = {now} + $1
		WHERE event_id = $2 AND claim = $3 AND state = 'running'`), in.lease.Milliseconds(), j.Event.ID, j.claim))
}

// end writes the state after an attempt, and runs do in the same transaction. If the
// claim was lost it writes nothing and returns ErrLost.
func (j *job) end(ctx context.Context, state State, reason string, wait time.Duration, do func(*sql.Tx) error) error {
	in := j.inbox
	err := in.db.InTx(ctx, func(tx *sql.Tx) error {
		// The update comes first: it locks the row while do runs.
		held, err := changed(tx.ExecContext(ctx, in.db.SQL(`UPDATE whozex_inbox
			SET state = $1, reason = $2, due_at = {now} + $3, claim = '', updated_at = {now}
			WHERE event_id = $4 AND claim = $5 AND state = 'running'`),
			string(state), text(reason), wait.Milliseconds(), j.Event.ID, j.claim))
		switch {
		case err != nil:
			return err
		case !held:
			return ErrLost
		case do != nil:
			if err := do(tx); err != nil {
				return err
			}
		}
		if state != Waiting {
			if err := in.unblock(ctx, tx, j.stream); err != nil {
				return err
			}
		}
		in.step(StepMark)
		return nil
	})
	if err == nil {
		in.step(StepDone)
	}
	return err
}

// unblock makes the next event of a stream due, after tx has ended the one before it.
func (in *Inbox) unblock(ctx context.Context, tx *sql.Tx, stream string) error {
	if stream == "" {
		return nil
	}
	if err := in.lockStream(ctx, tx, stream); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, in.db.SQL(`UPDATE whozex_inbox SET blocked = 0, due_at = {now}
		WHERE blocked = 1 AND event_id = (
			SELECT event_id FROM whozex_inbox
			WHERE stream = $1 AND state IN ('waiting', 'running') ORDER BY seq LIMIT 1)`), stream)
	return err
}

func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}
