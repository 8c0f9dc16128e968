package inbox

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/whozex/whozex-go/idempotency/internal/database"
	"github.com/whozex/whozex-go/webhookverify"
)

// writeTimeout bounds a write that does not end with its caller's context.
const writeTimeout = 10 * time.Second

// streamLocks is the first key of PostgreSQL's advisory locks; the second is the hash of
// the stream.
const streamLocks = 0x77686f7a // "whoz"

// Receive commits an event, and returns nil if it is stored now or was before: then
// the sender may get its 200. Pass it to [webhookverify.Verifier.Handler] or
// [webhookverify.Verifier.Once], without a replay store. It continues if the sender
// disconnects, since the sender may not redeliver.
func (in *Inbox) Receive(ctx context.Context, event *webhookverify.Event) error {
	if event.ID == "" {
		return errors.New("inbox: the event has no ID")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	in.step(StepReceive)
	if err := in.insert(ctx, event); err != nil {
		return fmt.Errorf("inbox: receive %s: %w", event.ID, err)
	}
	in.step(StepStored)
	select {
	case in.received <- struct{}{}:
	default: // enough wake-ups are pending for all workers of this process
	}
	return nil
}

func (in *Inbox) insert(ctx context.Context, event *webhookverify.Event) error {
	if err := in.db.Gone(); err != nil {
		return err
	}
	var sentAt string
	if !event.Timestamp.IsZero() {
		sentAt = event.Timestamp.Format(time.RFC3339Nano)
	}
	stream := key(in.stream(event))
	return in.db.InTx(ctx, func(tx *sql.Tx) error {
		if err := in.lockStream(ctx, tx, stream); err != nil {
			return err
		}
		// Without NOT EXISTS a redelivered event would deadlock: the insert waits for
		// the worker that updates the row, and that worker for the stream's lock.
		_, err := tx.ExecContext(ctx, in.db.SQL(`INSERT INTO whozex_inbox
				(event_id, seq, stream, blocked, name, webhook, sent_at, data, body, due_at, received_at, updated_at)
			SELECT $1, `+in.nextSeq()+`, $2, `+isBlocked+`, $3, $4, $5, $6, $7, {now}, {now}, {now}
			WHERE NOT EXISTS (SELECT 1 FROM whozex_inbox WHERE event_id = $1)
			ON CONFLICT (event_id) DO NOTHING`),
			key(event.ID), stream, text(event.Name), text(event.Webhook), sentAt, blob(event.Data), append([]byte{}, event.Body...))
		return err
	})
}

// isBlocked is the SQL expression that is 1 if the stream $2 has an event that is
// neither done nor dead.
const isBlocked = `(SELECT COUNT(*) FROM (
	SELECT 1 FROM whozex_inbox WHERE stream = $2 AND stream <> '' AND state IN ('waiting', 'running') LIMIT 1) AS before)`

// lockStream serialises the transactions that add events to a stream or end them, so
// that each sees whether an earlier event is open. SQLite has one writer anyway. To
// avoid deadlocks, a worker locks its event's row before it takes this lock.
func (in *Inbox) lockStream(ctx context.Context, tx *sql.Tx, stream string) error {
	if stream == "" || in.db.Dialect != database.Postgres {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, hashtext($2))`, streamLocks, stream)
	return err
}

func (in *Inbox) nextSeq() string {
	if in.db.Dialect == database.Postgres {
		return `nextval('whozex_inbox_seq')`
	}
	return `(SELECT COALESCE(MAX(seq), 0) + 1 FROM whozex_inbox)`
}

// text replaces what PostgreSQL does not accept in TEXT: NUL, which JSON allows, and
// invalid UTF-8.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// maxKey is the longest key in bytes. It fits PostgreSQL's indexes and exceeds any
// known id.
const maxKey = 1000

// key returns s as an index key: a long one ends in its hash.
func key(s string) string {
	if s = text(s); len(s) <= maxKey {
		return s
	}
	return fmt.Sprintf("%ssha256:%x", text(s[:maxKey/2]), sha256.Sum256([]byte(s)))
}

// blob returns nil for a nil slice, so that every driver stores NULL.
func blob(data []byte) any {
	if data == nil {
		return nil
	}
	return data
}
