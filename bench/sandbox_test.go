package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// TestMain runs a fake server if a benchmark has started this binary as a child
// process, so that the benchmark measures only the client.
func TestMain(m *testing.M) {
	if users := os.Getenv("BENCH_SANDBOX_USERS"); users != "" {
		serveSandbox(users)
		return
	}
	os.Exit(m.Run())
}

func serveSandbox(users string) {
	n, err := strconv.Atoi(users)
	if err != nil {
		panic(err)
	}
	server := whozextest.NewServer(whozextest.WithUsers(n))
	defer server.Close()
	fmt.Println(server.URL, server.APIKey)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startSandbox starts a fake server in another process and returns a client for it.
func startSandbox(b *testing.B, users int, opts ...whozex.Option) *whozex.Client {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("BENCH_SANDBOX_USERS=%d", users))
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	url, key, _ := strings.Cut(strings.TrimSpace(line), " ")
	client, err := whozex.New(key, append(opts, whozex.WithBaseURL(url))...)
	require.NoError(b, err)
	b.Cleanup(client.CloseIdleConnections)
	return client
}
