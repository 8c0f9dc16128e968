package redisguard_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// roles are the programs that this test binary can run as when a test starts it
// as a child process.
var roles = map[string]func() error{
	"caller":   callInLoop,
	"receiver": receiveEvents,
}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv("REDISGUARD_ROLE")]
	if !ok {
		os.Exit(m.Run())
	}
	go func() {
		// Standard input is closed when the parent test has ended.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := role(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type process struct {
	t       *testing.T
	command *exec.Cmd
	lines   *bufio.Scanner
}

// spawn starts a child process in a role. It passes the settings in the
// environment.
func spawn(t *testing.T, r server, role string, settings map[string]string) *process {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "REDISGUARD_ROLE="+role, "TEST_REDIS="+r.addr())
	for name, value := range settings {
		command.Env = append(command.Env, "TEST_"+name+"="+value)
	}
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	_, err = command.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	p := &process{t, command, bufio.NewScanner(stdout)}
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// expectLine reads the next line, which must begin with prefix, and returns the rest.
func (p *process) expectLine(prefix string) string {
	p.t.Helper()
	require.True(p.t, p.lines.Scan(), "the process has ended")
	rest, ok := strings.CutPrefix(p.lines.Text(), prefix)
	require.True(p.t, ok, "the process printed %q", p.lines.Text())
	return strings.TrimSpace(rest)
}

func setting(name string) string { return os.Getenv("TEST_" + name) }

func redisFromEnv() *redis.Client { return redis.NewClient(&redis.Options{Addr: setting("REDIS")}) }
