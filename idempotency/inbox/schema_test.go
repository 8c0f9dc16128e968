package inbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/webhookverify"
)

func TestNew_UpgradesSchema(t *testing.T) {
	onEach(t, func(t *testing.T, source string) {
		store, err := idempotency.Open(t.Context(), source)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, store.Close()) })
		db := store.Database()
		schema, err := os.ReadFile(filepath.Join("schema", string(db.Dialect), "001_inbox.sql"))
		require.NoError(t, err)
		lease := fmt.Sprint(time.Now().Add(2 * time.Second).UnixMilli()) // later events of the stream are due, and must wait
		for _, statement := range append(strings.Split(string(schema), ";\n"),
			`INSERT INTO whozex_schema (component, version, applied_at) VALUES ('inbox', 1, 0)`,
			`INSERT INTO whozex_inbox (event_id, seq, stream, name, webhook, sent_at, body, state, due_at, received_at, updated_at) VALUES
				('done', 1, 'a', 'x', '', '', '{}', 'done', 0, 0, 0),
				('first', 2, 'a', 'x', '', '', '{}', 'running', `+lease+`, 0, 0),
				('second', 3, 'a', 'x', '', '', '{}', 'waiting', 0, 0, 0),
				('third', 4, 'a', 'x', '', '', '{}', 'waiting', 0, 0, 0),
				('dead', 5, 'b', 'x', '', '', '{}', 'dead', 0, 0, 0),
				('free', 6, '', 'x', '', '', '{}', 'waiting', 9, 0, 0)`) {
			if strings.TrimSpace(statement) != "" {
				_, err := db.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
		}

		// Several processes upgrade at once.
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				_, err := inbox.New(t.Context(), store)
				assert.NoError(t, err)
			})
		}
		group.Wait()
		in, _ := open(t, source, inbox.WithWorkers(1))
		var order []string
		stop := run(t, in, func(_ context.Context, event *webhookverify.Event) error {
			order = append(order, event.ID)
			return nil
		})
		waitUntilIdle(t, in)
		stop()
		assert.ElementsMatch(t, []string{"first", "second", "third", "free"}, order)
		var inStream []string
		for _, id := range order {
			if id != "free" {
				inStream = append(inStream, id)
			}
		}
		assert.Equal(t, []string{"first", "second", "third"}, inStream)
		assert.Equal(t, inbox.Counts{Done: 5, Dead: 1}, counts(t, in))

		_, err = db.ExecContext(t.Context(), `INSERT INTO whozex_schema (component, version, applied_at) VALUES ('inbox', 99, 0)`)
		require.NoError(t, err)
		_, err = inbox.New(t.Context(), store)
		require.ErrorContains(t, err, "version 99")
	})
}
