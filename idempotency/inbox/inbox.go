package inbox

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/internal/database"
	"github.com/whozex/whozex-go/webhookverify"
)

var (
	// ErrPermanent means that a retry cannot help. If a handler's error wraps it, the
	// event is dead at once.
	ErrPermanent = errors.New("inbox: permanent")
	// ErrLost means that the lease expired, because the process was suspended or lost
	// the database, and that another worker may have claimed the event. [Commit] wrote
	// nothing.
	ErrLost = errors.New("inbox: the claim was lost")
	// ErrNotDead means that the event is not dead, or unknown.
	ErrNotDead = errors.New("inbox: no dead event")
)

//go:embed schema
var schema embed.FS

// Inbox stores events and passes them to workers. Make one with [New]. It is safe for
// concurrent use.
type Inbox struct {
	db *database.DB
	settings
	received chan struct{} // wakes a worker of this process
}

// New returns the inbox in the database of store, and creates or upgrades its table.
// A database has one inbox.
func New(ctx context.Context, store *idempotency.Store, opts ...Option) (*Inbox, error) {
	in := &Inbox{db: store.Database(), settings: defaults()}
	for _, opt := range opts {
		if err := opt(&in.settings); err != nil {
			return nil, fmt.Errorf("inbox: %w", err)
		}
	}
	in.received = make(chan struct{}, in.workers)
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, err
	}
	if err := in.db.Migrate(ctx, "inbox", files); err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	return in, nil
}

// userOf returns the stream of an event by default: data.user_id. The API documents
// user_id for package.created only; other events may have it too.
func userOf(event *webhookverify.Event) string {
	var data struct {
		UserID string `json:"user_id"`
	}
	_ = json.Unmarshal(event.Data, &data) // on an error there is no user
	return data.UserID
}
