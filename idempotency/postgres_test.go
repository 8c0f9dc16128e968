package idempotency_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/internal/pgtest"
)

// postgres is a PostgreSQL server started by the test, with a database.
type postgres struct {
	*pgtest.Server

	t   testing.TB
	url string
}

func startPostgres(t testing.TB) *postgres {
	t.Helper()
	server, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(server.Close)
	p := &postgres{Server: server, t: t}
	p.url = p.create()
	return p
}

// create creates another database and returns its URL.
func (p *postgres) create() string {
	p.t.Helper()
	url, err := p.Create("pgx")
	require.NoError(p.t, err)
	return url
}

// restart starts the server again and waits until it accepts connections.
func (p *postgres) restart() {
	p.t.Helper()
	require.NoError(p.t, p.Run())
	require.Eventually(p.t, func() bool {
		store, err := idempotency.Open(p.t.Context(), p.url)
		return err == nil && store.Close() == nil
	}, time.Minute, 20*time.Millisecond)
}

func TestOnce_Postgres(t *testing.T) {
	p := startPostgres(t)
	for op := range newWorld(t).calls() {
		t.Run(string(op), func(t *testing.T) {
			w := newWorld(t)
			w.source = p.url
			key := string(op)
			call := w.calls()[op]
			w.server.Inject(op, faults[0], 1)
			for range 3 {
				_, _ = call(w.open(), key)
			}
			once := w.open()
			_, err := call(once, key)
			w.checkAgainstServer(once, op, key, err)
			_, err = once.AddBalance(t.Context(), key, w.user, dec("99"), "other")
			require.ErrorIs(t, err, idempotency.ErrKeyReused)
		})
	}
	w := newWorld(t)
	w.source = p.url
	once := w.open()
	counts, err := once.Store().Counts(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, len(w.calls()), counts.Succeeded+counts.Failed+counts.Indeterminate)
	purged, err := once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, counts.Succeeded+counts.Failed, purged)

	p.Crash()
	for op, call := range w.calls() {
		_, err := call(once, "gone-"+string(op))
		require.ErrorContains(t, err, "nothing was sent")
		assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
		assert.Zero(t, w.requests(op))
	}
	p.restart()
	_, err = once.AddBalance(t.Context(), "after", w.user, dec("1"), "")
	require.NoError(t, err, "the store must reconnect")
}
