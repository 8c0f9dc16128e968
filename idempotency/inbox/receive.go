package inbox

import (
	"context"
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
	stream := text(in.stream(event))
	return in.db.InTx(ctx, func(tx *sql.Tx) error {
		if err := in.lockStream(ctx, tx, stream); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, in.db.SQL(`INSERT INTO whozex_inbox
				(event_id, seq, stream, name, webhook, sent_at, data, body, due_at, received_at, updated_at)
			VALUES ($1, `+in.nextSeq()+`, $2, $3, $4, $5, $6, $7, {now}, {now}, {now})
			ON CONFLICT (event_id) DO NOTHING`),
			text(event.ID), stream, text(event.Name), text(event.Webhook), sentAt, blob(event.Data), event.Body)
		return err
	})
}

// lockStream makes the events of a stream become visible in the order of seq: a
// worker must not see the second of two while the first is not committed. SQLite
// has one writer anyway.
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

// blob makes nothing NULL, whatever a driver makes of an empty slice.
func blob(data []byte) any {
	if data == nil {
		return nil
	}
	return data
}
