package whozextest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// Server is a fake server of the API with one reseller account. Make one with
// [NewServer] or [Start]; its methods are safe for concurrent use.
type Server struct {
	// URL is the base URL of the API, with the version: http://127.0.0.1:…/v1.
	URL string
	// APIKey is the key that the server started with; see [Server.CurrentKey].
	APIKey string

	settings settings
	http     *http.Server
	events   *http.Client
	done     context.Context
	stop     context.CancelFunc
	close    sync.Once
	running  sync.WaitGroup // the accept loop, connections and deliveries

	mu       sync.Mutex // guards all below
	closed   bool
	key      apiKey
	disabled bool
	account  account
	users    users
	packages map[string]*pkg
	history  history
	ledger   ledger
	days     map[string]*day
	sales    sales
	webhooks []*webhook
	pending  int
	idle     chan struct{} // closed when no delivery is pending
	limit    bucket
	faults   faults
	log      requestLog
	names    map[whozex.Operation]map[string]string
}

type apiKey struct {
	value    string
	lastUsed time.Time
}

type account struct {
	id, name, email string
	balance         decimal.Decimal
}

// NewServer is [Start] for tests: it panics where that returns an error.
func NewServer(opts ...Option) *Server {
	s, err := Start(opts...)
	if err != nil {
		panic(err)
	}
	return s
}

// Start starts a fake server on loopback. The caller closes it. The error is that of
// an option, or of listening.
func Start(opts ...Option) (*Server, error) {
	set := defaults()
	for _, opt := range opts {
		if err := opt(&set); err != nil {
			return nil, err
		}
	}
	if err := check(set.headers == "" || set.perSecond > 0, "rate-limit headers need a rate limit"); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", set.addr)
	if err != nil {
		return nil, fmt.Errorf("whozextest: %w", err)
	}
	s := &Server{
		URL:      "http://" + listener.Addr().String() + apiPrefix,
		APIKey:   set.key,
		settings: set,
		key:      apiKey{value: set.key},
		account:  account{id: newUUID(), name: "Sandbox Reseller", email: "reseller@example.com"},
		users:    newUsers(),
		packages: map[string]*pkg{},
		days:     map[string]*day{},
		sales:    sales{gb: map[string]decimal.Decimal{}},
		idle:     make(chan struct{}),
		limit:    newBucket(set.perSecond, set.burst),
		faults:   newFaults(),
		log:      newRequestLog(),
		names:    map[whozex.Operation]map[string]string{},
	}
	close(s.idle)
	s.done, s.stop = context.WithCancel(context.Background())
	s.events = newEventClient(set.anywhere)
	s.seed()
	s.serve(listener)
	return s, nil
}

func (s *Server) serve(listener net.Listener) {
	s.http = &http.Server{
		Addr:              listener.Addr().String(),
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ConnState: func(conn net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.running.Add(1)
				if s.done.Err() != nil {
					_ = conn.Close() // accepted too late for Close to see it
				}
			case http.StateClosed:
				s.running.Done()
			}
		},
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		_ = s.http.Serve(listener)
	}()
}

// CurrentKey returns the API key that is valid now.
func (s *Server) CurrentKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key.value
}

// Client returns a client of this server with the key that is valid now. It
// panics when an option is refused.
func (s *Server) Client(opts ...whozex.Option) *whozex.Client {
	opts = append([]whozex.Option{whozex.WithBaseURL(s.URL)}, opts...)
	client, err := whozex.New(s.CurrentKey(), opts...)
	if err != nil {
		panic("whozextest: " + err.Error())
	}
	return client
}

// Close stops the server: it drops open connections, ends stalled and late requests
// without a commit, and drops pending deliveries. When it returns no goroutine of the
// server is running. The request log and ledger can still be read. A second call has no
// effect.
func (s *Server) Close() {
	s.close.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.stop()
		_ = s.http.Close()
		s.running.Wait()
		s.events.CloseIdleConnections()
	})
}

// pause waits for d and reports whether the server is still open.
func (s *Server) pause(d time.Duration) bool {
	if d <= 0 {
		return s.done.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done.Done():
		return false
	}
}
