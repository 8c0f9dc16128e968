package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

// TestMain runs the job if a test has started this binary as a child process.
func TestMain(m *testing.M) {
	if db := os.Getenv("TOPUP_DATABASE"); db != "" {
		client, err := whozex.FromEnv(whozex.WithGrace(0))
		if err == nil {
			err = topUp(context.Background(), client, db, os.Stdin)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestTopUp_KilledAndRestarted(t *testing.T) {
	const payments, kills = 20, 6
	server := whozextest.NewServer(whozextest.WithUsers(payments), whozextest.WithLatency(2*time.Millisecond))
	t.Cleanup(server.Close)
	users, err := whozex.Collect(server.Client().AllUsers(t.Context(), whozex.ListUsersParams{}))
	require.NoError(t, err)
	var list strings.Builder
	for i, user := range users {
		_, _ = fmt.Fprintf(&list, "payment-%d,%s,1.50\n", i, user.ID)
	}
	file := filepath.Join(t.TempDir(), "payments.db")
	start := func() *exec.Cmd {
		job := exec.Command(os.Args[0])
		job.Env = append(os.Environ(), "TOPUP_DATABASE=sqlite:"+file, "WHOZEX_API_KEY="+server.APIKey, "WHOZEX_BASE_URL="+server.URL)
		job.Stdin, job.Stderr = strings.NewReader(list.String()), os.Stderr
		require.NoError(t, job.Start())
		return job
	}
	for i := range kills {
		wanted := (i + 1) * payments / (kills + 2)
		job := start()
		require.Eventually(t, func() bool { return server.Commits(whozex.OpAddBalance) >= wanted }, 20*time.Second, time.Millisecond)
		require.NoError(t, job.Process.Kill())
		_ = job.Wait()
		expireLeases(t, file)
	}
	require.NoError(t, start().Wait())
	assert.Equal(t, payments, server.Commits(whozex.OpAddBalance))
	for _, user := range users {
		balance, known := server.UserBalance(user.ID)
		assert.True(t, known)
		assert.Equal(t, "1.5", balance.String())
	}
}

// expireLeases ends all leases, as waiting for a minute would.
func expireLeases(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `UPDATE whozex_operations SET lease_until = 0`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

func TestTopUp_InvalidLine(t *testing.T) {
	server := whozextest.NewServer(whozextest.WithUsers(1))
	t.Cleanup(server.Close)
	users, err := whozex.Collect(server.Client().AllUsers(t.Context(), whozex.ListUsersParams{}))
	require.NoError(t, err)
	list := strings.NewReader("a,nobody,1\nb," + users[0].ID + ",much\nc," + users[0].ID + ",2\nc," + users[0].ID + ",3\n")
	err = topUp(t.Context(), server.Client(), "sqlite:"+filepath.Join(t.TempDir(), "payments.db"), list)
	require.ErrorIs(t, err, whozex.ErrNotFound)
	require.ErrorIs(t, err, idempotency.ErrKeyReused)
	assert.ErrorContains(t, err, "payment b")
	assert.Equal(t, 1, server.Commits(whozex.OpAddBalance))
}

func TestDemo(t *testing.T) {
	require.NoError(t, demo(t.Context()))
}
