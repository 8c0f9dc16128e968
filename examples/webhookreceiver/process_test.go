package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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
)

const (
	secret   = "wxsec_example"
	asMain   = "WEBHOOKRECEIVER_MAIN"
	patience = time.Minute
)

var signature = regexp.MustCompile(`(?i)[0-9a-f]{64}`)

// TestMain lets the test binary be the program itself.
func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is the program, running on its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stdout string
	stderr bytes.Buffer
	read   sync.WaitGroup
}

func start(t *testing.T) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	p := &process{t: t, stdout: filepath.Join(t.TempDir(), "events.jsonl")}
	stdout, err := os.Create(p.stdout)
	require.NoError(t, err)
	defer func() { _ = stdout.Close() }()
	p.cmd = exec.CommandContext(ctx, os.Args[0], "-addr", "127.0.0.1:0")
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

// ended waits for the end of the program, which must be a clean one.
func (p *process) ended() {
	p.t.Helper()
	p.read.Wait()
	require.NoError(p.t, p.cmd.Wait(), p.stderr.String())
	assert.False(p.t, strings.Contains(p.stderr.String(), secret), "the secret is on stderr")
	assert.Empty(p.t, signature.FindString(p.stderr.String()))
}

// written returns how often each event is on stdout, by the event's id.
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
