// Package pgtest starts PostgreSQL servers for tests.
package pgtest

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrMissing means that PostgreSQL is not installed.
var ErrMissing = errors.New("pgtest: PostgreSQL is not installed: apt-get install postgresql")

// Server is a PostgreSQL server on loopback.
type Server struct {
	dir       string
	port      int
	command   func(name string, args ...string) *exec.Cmd
	cmd       *exec.Cmd // the running server
	databases atomic.Int64
}

// Start starts a server. The caller must close it.
func Start() (s *Server, err error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return nil, ErrMissing
	}
	s = new(Server)
	if s.dir, err = os.MkdirTemp("", "postgres"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(s.dir)
		}
	}()
	account, err := credential(s.dir)
	if err != nil {
		return nil, err
	}
	s.command = func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(found[len(found)-1], name), args...)
		cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: account}
		return cmd
	}
	if out, err := s.command("initdb", "-D", s.dir+"/data", "-U", "whozex", "-A", "trust", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	return s, s.Run()
}

// Run starts the server again after Crash. It returns before the server accepts
// connections.
func (s *Server) Run() error {
	s.cmd = s.command("postgres", "-D", s.dir+"/data", "-p", strconv.Itoa(s.port), "-h", "127.0.0.1", "-k", s.dir)
	return s.cmd.Start()
}

// Crash stops the server without a clean shutdown. It has no effect if the server
// does not run.
func (s *Server) Crash() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Close stops the server and removes its files.
func (s *Server) Close() {
	s.Crash()
	_ = os.RemoveAll(s.dir)
}

// Create creates an empty database and returns its URL. driver is the name of the
// caller's driver for database/sql.
func (s *Server) Create(driver string) (url string, err error) {
	const address = "postgres://whozex@127.0.0.1:%d/%s?sslmode=disable"
	db, err := sql.Open(driver, fmt.Sprintf(address, s.port, "postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	name := fmt.Sprint("test", s.databases.Add(1))
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err = db.Exec("CREATE DATABASE " + name); err == nil {
			break // an error means that the server is still starting
		}
	}
	return fmt.Sprintf(address, s.port, name), err
}

// credential returns the user to run the server as if this process runs as root,
// since PostgreSQL refuses to. It makes that user the owner of dir.
func credential(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}
