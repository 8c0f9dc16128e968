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

// wireServer speaks HTTP/1.1 and HTTP/2 by frames and bytes of its own, so that it
// can break either at any place.
type wireServer struct {
	*ledger

	listener net.Listener
	config   *tls.Config
	plan     func(success string) plan
	strike   func() bool // whether to hang up on a new connection
	bodies   map[string]string

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	done  bool
	group sync.WaitGroup
}

// newWireServer returns a server that offers protocols and breaks as drawn.
func newWireServer(t *testing.T, bodies map[string]string, plan func(string) plan, strike func() bool, protocols ...string) *wireServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &wireServer{
		ledger: newLedger(), listener: listener, plan: plan, strike: strike, bodies: bodies,
		config: &tls.Config{Certificates: certificate.Certificates, NextProtos: protocols},
		conns:  map[net.Conn]struct{}{},
	}
	s.group.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// certificate is httptest's, for 127.0.0.1.
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
		over := s.done
		if !over {
			s.conns[conn] = struct{}{}
		}
		s.mu.Unlock()
		if over || s.strike() {
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

// close ends all connections and waits for late commits.
func (s *wireServer) close() {
	s.mu.Lock()
	s.done = true
	_ = s.listener.Close()
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.group.Wait()
	s.pending.Wait()
}

// begin notes a request and returns what is to be done with it.
func (s *wireServer) begin(method, path, authorization string) (key string, p plan) {
	key = strings.TrimPrefix(authorization, "Bearer ")
	success := strings.Replace(s.bodies[method+" "+path], `"version":"1.0.0"`, `"version":"`+key+`"`, 1)
	p = s.plan(success)
	void := s.arrive(key)
	if p.void {
		s.setVoid(void)
	}
	if p.commit == before {
		s.commit(key)
	}
	return key, p
}

// end commits what was to be committed late.
func (s *wireServer) end(key string, p plan) {
	if p.commit == after {
		s.pending.Add(1)
		time.AfterFunc(p.late, func() {
			s.commit(key)
			s.pending.Done()
		})
	}
}

// head is the response's first lines over HTTP/1.1.
func (p plan) head() string {
	var b strings.Builder
	for range p.informal {
		b.WriteString("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
	}
	b.WriteString("HTTP/1.1 " + itoa(p.status) + " " + http.StatusText(p.status) + "\r\nContent-Type: application/json\r\n")
	if p.header != "" {
		b.WriteString(p.header + "\r\n")
	}
	if p.act == goAway {
		b.WriteString("Connection: close\r\n")
	}
	if p.status != http.StatusNoContent {
		b.WriteString("Content-Length: " + itoa(len(p.body)) + "\r\n")
	}
	return b.String() + "\r\n"
}

var errEnd = errors.New("the connection ends")

// random is a source that many may draw from.
type random struct {
	mu sync.Mutex
	*rand.Rand
}

func (r *random) do(f func(*rand.Rand)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.Rand)
}

// drain reads until the client hangs up, or for as long as a stall lasts.
func drain(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(stallFor))
	_, _ = io.Copy(io.Discard, conn)
}
