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
	// ErrPermanent is wrapped by a handler's error to say that trying again is of no
	// use: the event is dead at once.
	ErrPermanent = errors.New("inbox: permanent")
	// ErrLost means that the handler took longer than its lease, because its process
	// was stopped or lost the database, and that another worker has the event now.
	// Nothing of [Commit] was written.
	ErrLost = errors.New("inbox: the claim was lost")
	// ErrNotDead means that an event is not dead, or unknown.
	ErrNotDead = errors.New("inbox: no dead event")
)

//go:embed schema
var schema embed.FS

// Inbox keeps events and hands them to workers. Make one with [New]; it is safe
// for concurrent use.
type Inbox struct {
	db *database.DB
	settings
	received chan struct{} // wakes a worker of this process
}

// New returns an inbox in the database of store, and creates or upgrades its
// table. One database has one inbox.
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

// userOf is the stream of an event unless [WithStream] says otherwise. Any data may
// have a user_id, though only that of package.created is documented.
func userOf(event *webhookverify.Event) string {
	var data struct {
		UserID string `json:"user_id"`
	}
	_ = json.Unmarshal(event.Data, &data) // no object is of no user
	return data.UserID
}
