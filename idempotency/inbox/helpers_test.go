package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/internal/pgtest"
	"github.com/whozex/whozex-go/webhookverify"
)

const secret = "wxsec_example"

// onEach runs a test on an empty database of each kind.
func onEach(t *testing.T, test func(t *testing.T, source string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "events.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresSource(t)) })
}

var postgres = sync.OnceValues(pgtest.Start)

func postgresSource(t testing.TB) string {
	t.Helper()
	server, err := postgres()
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	source, err := server.Create("pgx")
	require.NoError(t, err)
	return source
}

// TestMain runs the tests, or the child process of a test that kills it.
func TestMain(m *testing.M) {
	if os.Getenv("INBOX_SOURCE") != "" {
		runChild()
		return
	}
	code := m.Run()
	if server, err := postgres(); err == nil {
		server.Close()
	}
	os.Exit(code)
}

func open(t testing.TB, source string, opts ...inbox.Option) (*inbox.Inbox, *idempotency.Store) {
	t.Helper()
	store, err := idempotency.Open(t.Context(), source)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	opts = append([]inbox.Option{inbox.WithPoll(5 * time.Millisecond), inbox.WithBackoff(time.Millisecond, 4*time.Millisecond)}, opts...)
	in, err := inbox.New(t.Context(), store, opts...)
	require.NoError(t, err)
	return in, store
}

func verified(t testing.TB, body string) *webhookverify.Event {
	t.Helper()
	verifier, err := webhookverify.New(secret)
	require.NoError(t, err)
	event, err := verifier.ParseEvent([]byte(body), webhookverify.Sign([]byte(body), secret))
	require.NoError(t, err)
	return event
}

func eventOf(t testing.TB, user string, n int) *webhookverify.Event {
	t.Helper()
	return verified(t, fmt.Sprintf(`{"event":"package.created","data":{"user_id":%q,"n":%d},"timestamp":"2025-01-01T12:00:00.123Z"}`, user, n))
}

// run runs the workers until stop, which waits for them to return.
func run(t testing.TB, in *inbox.Inbox, handle func(context.Context, *webhookverify.Event) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { in.Run(ctx, handle) })
	stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func counts(t testing.TB, in *inbox.Inbox) inbox.Counts {
	t.Helper()
	c, err := in.Counts(context.WithoutCancel(t.Context()))
	require.NoError(t, err)
	return c
}

// waitUntilIdle waits until no event is waiting or running.
func waitUntilIdle(t testing.TB, in *inbox.Inbox) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		c := counts(t, in)
		if c.Waiting+c.Running == 0 {
			return
		}
		require.True(t, time.Now().Before(deadline), "%+v", c)
	}
}
