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

// streamLocks is the class of PostgreSQL's advisory locks, one for each stream.
const streamLocks = 0x77686f7a // "whoz"

// Receive commits an event, or finds it received before, and returns nil: then the
// sender may have its 200. It fits [webhookverify.Verifier.Handler] and
// [webhookverify.Verifier.Once], without a replay store. It goes on if the sender
// hangs up, who may not come again.
func (in *Inbox) Receive(ctx context.Context, event *webhookverify.Event) error {
	if event.ID == "" {
		return errors.New("inbox: an event without an ID")
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
	default: // all workers of this process have been woken
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
		// Without NOT EXISTS the insert of an event that is there would wait for the
		// worker that ends it, and that one for the lock.
		_, err := tx.ExecContext(ctx, in.db.SQL(`INSERT INTO whozex_inbox
				(event_id, seq, stream, blocked, name, webhook, sent_at, data, body, due_at, received_at, updated_at)
			SELECT $1, `+in.nextSeq()+`, $2, `+isBlocked+`, $3, $4, $5, $6, $7, {now}, {now}, {now}
			WHERE NOT EXISTS (SELECT 1 FROM whozex_inbox WHERE event_id = $1)
			ON CONFLICT (event_id) DO NOTHING`),
			key(event.ID), stream, text(event.Name), text(event.Webhook), sentAt, blob(event.Data), append([]byte{}, event.Body...))
		return err
	})
}

// isBlocked is 1 if the stream $2 has an event that is neither done nor dead.
const isBlocked = `(SELECT COUNT(*) FROM (
	SELECT 1 FROM whozex_inbox WHERE stream = $2 AND stream <> '' AND state IN ('waiting', 'running') LIMIT 1) AS before)`

// lockStream lets one transaction at a time add events to a stream or end them, so
// that each sees whether there is one before it. SQLite has one writer anyway. Who
// has the lock waits for no row: workers lock their event's row first.
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

// text is what PostgreSQL takes for a text: JSON may hold NUL.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// longestKey is what PostgreSQL's indexes take, and more than any id has.
const longestKey = 1000

// key is text that an index takes, however long it is.
func key(s string) string {
	if s = text(s); len(s) <= longestKey {
		return s
	}
	return fmt.Sprintf("%ssha256:%x", text(s[:longestKey/2]), sha256.Sum256([]byte(s)))
}

// blob makes nothing NULL, whatever a driver makes of an empty slice.
func blob(data []byte) any {
	if data == nil {
		return nil
	}
	return data
}
