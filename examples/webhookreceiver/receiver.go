package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/webhookverify"
)

// lease is how long an event of a killed process waits for another worker. The inbox
// renews it during a long write.
const lease = 5 * time.Second

// retention is how long redeliveries of an event are skipped.
const retention = 90 * 24 * time.Hour

// maxListed bounds the list of dead events.
const maxListed = 1000

// receiver stores events in its inbox; workers write them as lines.
type receiver struct {
	inbox  *inbox.Inbox
	lines  *lines
	logger *slog.Logger
}

func newReceiver(ctx context.Context, store *idempotency.Store, stdout io.Writer, logger *slog.Logger) (*receiver, error) {
	in, err := inbox.New(ctx, store, inbox.WithLease(lease), inbox.WithRetention(retention), inbox.WithErrorHandler(func(event *webhookverify.Event, err error) {
		if event == nil {
			logger.Error("inbox", "error", err)
			return
		}
		logger.Warn("line not written", "id", event.ID, "error", err)
	}))
	if err != nil {
		return nil, err
	}
	return &receiver{inbox: in, lines: &lines{to: stdout}, logger: logger}, nil
}

// waitUntilIdle waits until every received event is written or dead.
func (r *receiver) waitUntilIdle(ctx context.Context) error {
	for {
		counts, err := r.inbox.Counts(ctx)
		if err != nil || counts.Waiting+counts.Running == 0 {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deadLine is the line for a dead event.
type deadLine struct {
	ID         string          `json:"id"`
	ReceivedAt time.Time       `json:"received_at"`
	Attempts   int64           `json:"attempts"`
	Reason     string          `json:"reason"`
	Body       json.RawMessage `json:"body"`
}

func listDead(ctx context.Context, r *receiver) error {
	dead, err := r.inbox.Dead(ctx, maxListed)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(r.lines.to)
	for _, entry := range dead {
		if err := encoder.Encode(deadLine{entry.Event.ID, entry.ReceivedAt.UTC(), entry.Attempts, entry.Reason, entry.Event.Body}); err != nil {
			return err
		}
	}
	return nil
}
