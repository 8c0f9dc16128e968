package redisguard_test

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// server is a Redis server that a test can kill and restart on the same address.
type server interface {
	addr() string
	kill()
	restart()
}

// startRedis starts a redis-server with the given arguments. Outside CI it falls
// back to miniredis if redis-server is not installed.
func startRedis(t *testing.T, args ...string) server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil || os.Getenv("REDISGUARD_MINIREDIS") != "" {
		require.Empty(t, os.Getenv("CI"), "CI needs redis-server")
		return startMini(t)
	}
	port := freePort(t)
	r := &realRedis{t: t, path: path, address: net.JoinHostPort("127.0.0.1", port), args: append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", "--loglevel", "warning",
	}, args...)}
	r.restart()
	t.Cleanup(r.kill)
	return r
}

// freePort returns a port below the ephemeral range, so that it stays free while
// Redis is down.
func freePort(t *testing.T) string {
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)); err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

type realRedis struct {
	t       *testing.T
	path    string
	address string
	args    []string
	command *exec.Cmd
}

func (r *realRedis) addr() string { return r.address }

func (r *realRedis) kill() {
	if r.command != nil {
		_ = r.command.Process.Kill()
		_ = r.command.Wait()
		r.command = nil
	}
}

func (r *realRedis) restart() {
	r.command = exec.Command(r.path, r.args...)
	require.NoError(r.t, r.command.Start())
	rdb := connect(r.t, r)
	require.Eventually(r.t, func() bool { return rdb.Ping(context.Background()).Err() == nil },
		10*time.Second, 10*time.Millisecond, "redis-server did not start")
}

// freeze stops the process: connections stay open and get no replies.
func (r *realRedis) freeze() { require.NoError(r.t, r.command.Process.Signal(syscall.SIGSTOP)) }
func (r *realRedis) thaw()   { require.NoError(r.t, r.command.Process.Signal(syscall.SIGCONT)) }

type miniRedis struct {
	t *testing.T
	*miniredis.Miniredis
}

func startMini(t *testing.T) server {
	m := miniredis.RunT(t)
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	// miniredis expires keys only when FastForward is called.
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-done:
				return
			case now := <-tick.C:
				m.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
	return miniRedis{t, m}
}

func (m miniRedis) addr() string { return m.Addr() }
func (m miniRedis) kill()        { m.Close() }
func (m miniRedis) restart()     { require.NoError(m.t, m.Restart()) }

// connect returns a client with the default settings of go-redis.
func connect(t *testing.T, r server) *redis.Client {
	rdb := redis.NewClient(&redis.Options{Addr: r.addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}
