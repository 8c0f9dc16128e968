package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const stallFor = 400 * time.Millisecond

// wireServer implements HTTP/1.1 and HTTP/2 on the level of bytes and frames, so that it
// can fail at any point.
type wireServer struct {
	*ledger

	listener net.Listener
	config   *tls.Config
	plan     func(success string) plan
	dropConn func() bool // whether to close a new connection
	bodies   map[string]string

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	group  sync.WaitGroup
}

// newWireServer starts a server with the given protocols. plan and dropConn decide how it
// fails.
func newWireServer(t *testing.T, bodies map[string]string, plan func(string) plan, dropConn func() bool, protocols ...string) *wireServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &wireServer{
		ledger: newLedger(), listener: listener, plan: plan, dropConn: dropConn, bodies: bodies,
		config: &tls.Config{Certificates: certificate.Certificates, NextProtos: protocols},
		conns:  map[net.Conn]struct{}{},
	}
	s.group.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// certificate is the certificate of httptest, for 127.0.0.1.
var certificate = func() *tls.Config {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	return server.TLS
}()

func (s *wireServer) url() string { return "https://" + s.listener.Addr().String() + "/v1" }

func (s *wireServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		closed := s.closed
		if !closed {
			s.conns[conn] = struct{}{}
		}
		s.mu.Unlock()
		if closed || s.dropConn() {
			_ = conn.Close()
			continue
		}
		s.group.Go(func() {
			s.serve(conn.(*net.TCPConn))
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

func (s *wireServer) serve(raw *net.TCPConn) {
	conn := tls.Server(raw, s.config)
	if conn.Handshake() != nil {
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		newConn2(s, raw, conn).serve()
		return
	}
	(&conn1{s: s, raw: raw, conn: conn}).serve()
}

// close closes all connections and waits for delayed commits.
func (s *wireServer) close() {
	s.mu.Lock()
	s.closed = true
	_ = s.listener.Close()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.group.Wait()
	s.pending.Wait()
}

// beginRequest records a request and returns its plan.
func (s *wireServer) beginRequest(method, path, authorization string) (key string, p plan) {
	key = strings.TrimPrefix(authorization, "Bearer ")
	success := strings.Replace(s.bodies[method+" "+path], `"version":"1.0.0"`, `"version":"`+key+`"`, 1)
	p = s.plan(success)
	rejected := s.addRequest(key)
	if p.rejected {
		s.markRejected(rejected)
	}
	if p.commit == commitBefore {
		s.commit(key)
	}
	return key, p
}

// endRequest commits the call if its plan says so.
func (s *wireServer) endRequest(key string, p plan) {
	if p.commit == commitAfter {
		s.pending.Add(1)
		time.AfterFunc(p.commitDelay, func() {
			s.commit(key)
			s.pending.Done()
		})
	}
}

// head returns the status line and headers of the response over HTTP/1.1.
func (p plan) head() string {
	var b strings.Builder
	for range p.early {
		b.WriteString("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
	}
	b.WriteString("HTTP/1.1 " + itoa(p.status) + " " + http.StatusText(p.status) + "\r\nContent-Type: application/json\r\n")
	if p.header != "" {
		b.WriteString(p.header + "\r\n")
	}
	if p.action == goAway {
		b.WriteString("Connection: close\r\n")
	}
	if p.status != http.StatusNoContent {
		b.WriteString("Content-Length: " + itoa(len(p.body)) + "\r\n")
	}
	return b.String() + "\r\n"
}

var errEnd = errors.New("the connection is closed")

// random is a source of random numbers for concurrent use.
type random struct {
	mu sync.Mutex
	*rand.Rand
}

func (r *random) do(f func(*rand.Rand)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.Rand)
}

// drain reads until the client closes the connection, at most for the time of a stall.
func drain(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(stallFor))
	_, _ = io.Copy(io.Discard, conn)
}
