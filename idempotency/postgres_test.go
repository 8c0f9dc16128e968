package idempotency_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

// postgres is a real server of its own.
type postgres struct {
	t    testing.TB
	bin  string
	dir  string
	port int
	as   *syscall.Credential // the server refuses to run as root
	cmd  *exec.Cmd
}

func startPostgres(t testing.TB) *postgres {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 && os.Getenv("CI") == "" {
		t.Skip("there is no PostgreSQL here: apt-get install postgresql")
	}
	require.NotEmpty(t, found)
	p := &postgres{t: t, bin: found[len(found)-1]}
	var err error
	p.dir, err = os.MkdirTemp("", "postgres")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(p.dir) })
	if os.Geteuid() == 0 {
		account, err := user.Lookup("postgres")
		require.NoError(t, err)
		uid, err := strconv.Atoi(account.Uid)
		require.NoError(t, err)
		gid, err := strconv.Atoi(account.Gid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(p.dir, uid, gid))
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	out, err := p.command("initdb", "-D", p.dir+"/data", "-U", "whozex", "-A", "trust", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.port = listener.Addr().(*net.TCPAddr).Port
	require.NoError(t, listener.Close())
	p.start()
	t.Cleanup(p.stop)
	return p
}

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *postgres) start() {
	p.t.Helper()
	p.cmd = p.command("postgres", "-D", p.dir+"/data", "-p", fmt.Sprint(p.port), "-h", "127.0.0.1", "-k", p.dir)
	require.NoError(p.t, p.cmd.Start())
	require.Eventually(p.t, func() bool {
		store, err := idempotency.Open(p.t.Context(), p.source())
		return err == nil && store.Close() == nil
	}, time.Minute, 20*time.Millisecond)
}

// create makes another database.
func (p *postgres) create(name string) {
	p.t.Helper()
	out, err := p.command("createdb", "-h", "127.0.0.1", "-p", fmt.Sprint(p.port), "-U", "whozex", name).CombinedOutput()
	require.NoError(p.t, err, "%s", out)
}

// stop is a crash: the server finishes nothing.
func (p *postgres) stop() {
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT)
		_ = p.cmd.Wait()
	}
	p.cmd = nil
}

func (p *postgres) source() string {
	return fmt.Sprintf("postgres://whozex@127.0.0.1:%d/postgres?sslmode=disable", p.port)
}

func TestPostgresHoldsWhatSQLiteHolds(t *testing.T) {
	p := startPostgres(t)
	for op := range newWorld(t).calls() {
		t.Run(string(op), func(t *testing.T) {
			w := newWorld(t)
			w.source = p.source()
			key := string(op)
			call := w.calls()[op]
			w.server.Inject(op, faults[0], 1)
			for range 3 {
				_, _ = call(w.open(), key)
			}
			once := w.open()
			_, err := call(once, key)
			w.agrees(once, op, key, err)
			_, err = once.AddBalance(t.Context(), key, w.user, dec("99"), "other")
			require.ErrorIs(t, err, idempotency.ErrKeyReused)
		})
	}
	w := newWorld(t)
	w.source = p.source()
	once := w.open()
	counts, err := once.Store().Counts(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, len(w.calls()), counts.Succeeded+counts.Failed+counts.Indeterminate)
	gone, err := once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, counts.Succeeded+counts.Failed, gone)

	p.stop()
	for op, call := range w.calls() {
		_, err := call(once, "gone-"+string(op))
		require.ErrorContains(t, err, "nothing was sent")
		assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
		assert.Zero(t, w.requests(op))
	}
	p.start()
	_, err = once.AddBalance(t.Context(), "after", w.user, dec("1"), "")
	require.NoError(t, err, "the store comes back by itself")
}
