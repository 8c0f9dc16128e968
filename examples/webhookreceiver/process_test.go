package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/idempotency/inbox"
	"github.com/whozex/whozex-go/internal/pgtest"
)

const (
	secret      = "wxsec_example"
	asMain      = "WEBHOOKRECEIVER_MAIN"
	testTimeout = 3 * time.Minute
)

var signature = regexp.MustCompile(`(?i)[0-9a-f]{64}`)

var postgres = sync.OnceValues(pgtest.Start)

// TestMain runs the tests, or the program if a test started it as a child process.
func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	code := m.Run()
	if server, err := postgres(); err == nil {
		server.Close()
	}
	os.Exit(code)
}

// onEach runs a test on an empty database of each kind.
func onEach(t *testing.T, test func(t *testing.T, source string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "events.db")) })
	t.Run("postgres", func(t *testing.T) {
		server, err := postgres()
		if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		require.NoError(t, err)
		source, err := server.Create("pgx")
		require.NoError(t, err)
		test(t, source)
	})
}

// open opens the inbox of a database that the program may also have open.
func open(t *testing.T, source string) *inbox.Inbox {
	t.Helper()
	store, err := idempotency.Open(t.Context(), source)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	in, err := inbox.New(t.Context(), store)
	require.NoError(t, err)
	return in
}

// waitUntilIdle waits until no event is waiting or running, and returns the counts.
func waitUntilIdle(t *testing.T, in *inbox.Inbox) inbox.Counts {
	t.Helper()
	for deadline := time.Now().Add(testTimeout); ; time.Sleep(50 * time.Millisecond) {
		counts, err := in.Counts(t.Context())
		require.NoError(t, err)
		if counts.Waiting+counts.Running == 0 {
			return counts
		}
		require.True(t, time.Now().Before(deadline), "%+v", counts)
	}
}

// process is the program as a child process.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stdout string
	stderr bytes.Buffer
	read   sync.WaitGroup
}

func start(t *testing.T, source string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	t.Cleanup(cancel)
	p := &process{t: t, stdout: filepath.Join(t.TempDir(), "events.jsonl")}
	stdout, err := os.Create(p.stdout)
	require.NoError(t, err)
	defer func() { _ = stdout.Close() }()
	p.cmd = exec.CommandContext(ctx, os.Args[0], "-addr", "127.0.0.1:0", "-database", source)
	p.cmd.Env = append(os.Environ(), asMain+"=1", "WHOZEX_WEBHOOK_SECRET="+secret)
	p.cmd.Stdout = stdout
	stderr, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	lines := bufio.NewReader(io.TeeReader(stderr, &p.stderr))
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	_, p.url, _ = strings.Cut(strings.TrimSpace(first), "url=")
	require.NotEmpty(t, p.url, first)
	p.read.Go(func() { _, _ = io.Copy(io.Discard, lines) })
	return p
}

// waitForExit waits for the program to exit with status 0.
func (p *process) waitForExit() {
	p.t.Helper()
	p.read.Wait()
	require.NoError(p.t, p.cmd.Wait(), p.stderr.String())
	assert.False(p.t, strings.Contains(p.stderr.String(), secret), "the secret is on stderr")
	assert.Empty(p.t, signature.FindString(p.stderr.String()))
}

// written returns how often each event is on stdout, by id.
func (p *process) written() map[string]int {
	p.t.Helper()
	data, err := os.ReadFile(p.stdout)
	require.NoError(p.t, err)
	return parse(p.t, string(data))
}

func parse(t *testing.T, text string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for text := range strings.Lines(text) {
		var l line
		require.True(t, strings.HasSuffix(text, "\n"), text)
		require.NoError(t, json.Unmarshal([]byte(text), &l), text)
		require.False(t, l.ReceivedAt.IsZero())
		count[l.ID]++
	}
	return count
}
