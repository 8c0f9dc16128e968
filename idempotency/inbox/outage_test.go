package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/internal/pgtest"
)

// TestInbox_PostgreSQLCrashes redelivers each event until Receive succeeds, while
// PostgreSQL crashes.
func TestPostgreSQLCrashesInTheMiddle(t *testing.T) {
	const users, each, crashes = 4, 40, 2
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(server.Close)
	source, err := server.Create("pgx")
	require.NoError(t, err)
	in, store := open(t, source, inbox.WithLease(300*time.Millisecond), inbox.WithAttempts(1000))
	_, err = store.Database().ExecContext(t.Context(), effectsTable)
	require.NoError(t, err)
	stop := run(t, in, effect)
	var received, repeated atomic.Int64
	var senders sync.WaitGroup
	for user := range users {
		senders.Go(func() {
			for n := range each {
				event := eventOf(t, fmt.Sprint("user", user), n)
				for in.Receive(t.Context(), event) != nil {
					repeated.Add(1)
					time.Sleep(5 * time.Millisecond) // a sender's back-off
				}
				received.Add(1)
			}
		})
	}
	for n := range crashes {
		require.Eventually(t, func() bool { return received.Load() >= int64((n+1)*users*each/(crashes+1)) }, time.Minute, time.Millisecond)
		server.Crash()
		require.NoError(t, server.Run())
	}
	senders.Wait()
	require.Eventually(t, func() bool {
		c, err := in.Counts(context.WithoutCancel(t.Context()))
		return err == nil && c == inbox.Counts{Done: users * each}
	}, time.Minute, 10*time.Millisecond)
	stop()
	did := effects(t, store)
	assert.Len(t, did, users*each)
	for id, n := range did {
		assert.Equal(t, 1, n, id)
	}
	var inOrder int
	require.NoError(t, store.Database().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM effects WHERE n = seq`).Scan(&inOrder))
	assert.Equal(t, users*each, inOrder)
	t.Logf("%d events over %d crashes of the server: %d deliveries repeated, %d effects, %d in order", users*each, crashes, repeated.Load(), len(did), inOrder)
	assert.Positive(t, repeated.Load(), "no delivery failed: the crashes came too late")
}
