package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/whozex/whozex-go"
)

var (
	callCount = flag.Int("calls", 20_000, "`number` of calls in TestCalls_RandomFaults")
	seed      = flag.Uint64("seed", 0, "seed of the random faults; 0 means a random one")
)

// TestMain makes the SDK's default transport trust the certificate of the tests.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "cert.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificates[0].Certificate[0]})
	if err := errors.Join(os.WriteFile(file, block, 0o600), os.Setenv("SSL_CERT_FILE", file)); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// newTransport returns a transport that trusts the certificate of the tests.
func newTransport() *http.Transport {
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(certificate.Certificates[0].Certificate[0])
	if err != nil {
		panic(err)
	}
	pool.AddCert(cert)
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 128, IdleConnTimeout: 30 * time.Second,
	}
}

// withIdempotencyKey sets a header that makes net/http retry requests.
func withIdempotencyKey(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		r.Header.Set("Idempotency-Key", "k")
		return next.RoundTrip(r)
	})
}

// hideType wraps next, so that the SDK does not see an http.Transport.
func hideType(next http.RoundTripper) http.RoundTripper { return roundTrip(next.RoundTrip) }

// withFailover returns an error of a second host if the first fails. It sends with
// another context, so that the SDK's connection trace sees nothing.
func withFailover(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		ctx, cancel := context.WithCancel(context.Background())
		stop := context.AfterFunc(r.Context(), cancel)
		defer stop()
		resp, err := next.RoundTrip(r.WithContext(ctx))
		if err == nil {
			return resp, nil
		}
		return nil, errors.Join(err, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})
	})
}

// transports returns client options with the transports that users may configure.
func transports(t *testing.T) map[string][]whozex.Option {
	t.Helper()
	with := func(rt http.RoundTripper, opts ...whozex.Option) []whozex.Option {
		if pooled, ok := rt.(*http.Transport); ok {
			t.Cleanup(pooled.CloseIdleConnections)
		}
		return append(opts, whozex.WithHTTPClient(&http.Client{Transport: rt}))
	}
	configured := newTransport()
	_, err := http2.ConfigureTransports(configured)
	require.NoError(t, err)
	http2Only := newTransport()
	http2Only.Protocols = new(http.Protocols)
	http2Only.Protocols.SetHTTP2(true)
	wrapped := newTransport()
	t.Cleanup(wrapped.CloseIdleConnections)
	return map[string][]whozex.Option{
		"default":                              nil,
		"default, middleware":                  {whozex.WithMiddleware(hideType, withIdempotencyKey)},
		"http.Transport":                       with(newTransport()),
		"http.Transport, x/net":                with(configured),
		"http.Transport, HTTP/2 only":          with(http2Only),
		"http.Transport, middleware":           with(newTransport(), whozex.WithMiddleware(withIdempotencyKey)),
		"custom RoundTripper":                  with(hideType(wrapped)),
		"custom RoundTripper, Idempotency-Key": with(withIdempotencyKey(wrapped)),
		"custom RoundTripper, failover":        with(withFailover(wrapped)),
	}
}

// The server fails at random. For each call, the result that the caller got must agree
// with the requests and commits on the server.
func TestCalls_RandomFaults(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	all, bodies := responses(t)
	var total tally
	options := transports(t)
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range options {
			if !yield(name) {
				return
			}
		}
	})
	for _, protocols := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}} {
		for i, name := range names {
			if name == "http.Transport, HTTP/2 only" && protocols[0] != "h2" {
				continue
			}
			t.Run(protocols[0]+"/"+name, func(t *testing.T) {
				s := &scenario{
					all: all, name: protocols[0] + ", " + name, opts: options[name], tally: &total,
					count: *callCount / (2*len(names) - 1),
					rng:   &random{Rand: rand.New(rand.NewPCG(*seed, uint64(i)))},
				}
				s.run(t, bodies, protocols)
			})
		}
	}
	t.Log("\n" + total.String())
}

// scenario makes many concurrent calls with one transport.
type scenario struct {
	all   []call
	name  string
	opts  []whozex.Option
	count int
	rng   *random
	tally *tally
}

const maxRetries = 3

func (s *scenario) run(t *testing.T, bodies map[string]string, protocols []string) {
	server := newWireServer(t, bodies, func(success string) (p plan) {
		s.rng.do(func(r *rand.Rand) { p = randomPlan(r, success) })
		return p
	}, func() (yes bool) {
		s.rng.do(func(r *rand.Rand) { yes = r.IntN(30) == 0 })
		return yes
	}, protocols...)
	const workers = 32
	var next atomic.Int64
	var group sync.WaitGroup
	var mu sync.Mutex
	var outcomes []*outcome
	for range workers {
		group.Go(func() {
			client, err := whozex.New("wx_live_example", append([]whozex.Option{
				whozex.WithBaseURL(server.url()), whozex.WithBackoff(0, time.Millisecond), whozex.WithMaxRetries(maxRetries),
				whozex.WithTimeout(150 * time.Millisecond), whozex.WithMaxRetryAfter(time.Millisecond),
			}, s.opts...)...)
			if !assert.NoError(t, err) {
				return
			}
			defer client.CloseIdleConnections()
			for {
				n := next.Add(1)
				if n > int64(s.count) {
					return
				}
				o := s.call(t, client, s.all[int(n)%len(s.all)], fmt.Sprintf("wx_live_%d", n))
				mu.Lock()
				outcomes = append(outcomes, o)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	server.close()
	for _, o := range outcomes {
		o.requests, o.rejected, o.commits = server.counts(o.key)
		s.tally.add(s.name, o)
		for _, violation := range o.violations() {
			t.Errorf("%s %s: %s (%d notified, %d attempts, %d requests, %d rejected, %d commits): %v",
				o.call.name, o.key, violation, o.notified, o.attempts, o.requests, o.rejected, o.commits, o.err)
		}
	}
}

// outcome has what the caller and the server know about one call.
type outcome struct {
	call                        call
	key                         string
	err                         error
	echo                        string // the API key in the response
	notified, attempts          int    // calls of BeforeSend, attempts in the response
	requests, rejected, commits int    // in the server's ledger
}

func (s *scenario) call(t *testing.T, client *whozex.Client, c call, key string) *outcome {
	o := &outcome{call: c, key: key}
	if err := client.SetAPIKey(key); err != nil {
		t.Error(err)
	}
	var resp whozex.Response
	o.err = c.make(t.Context(), client, whozex.CaptureResponse(&resp), whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
		o.notified++
		if record.Attempts != o.notified {
			t.Errorf("BeforeSend call %d has attempt %d", o.notified, record.Attempts)
		}
		return nil
	}))
	o.attempts, o.echo = resp.Attempts, resp.Meta.Version
	return o
}

// maxReadRequests limits how often net/http may retry a reading call on connections that
// turn out to be closed.
const maxReadRequests = 60

// violations compares what the caller and the server know.
func (o *outcome) violations() (violations []string) {
	check := func(violated bool, violation string) {
		if violated {
			violations = append(violations, violation)
		}
	}
	check(o.attempts > 1+maxRetries, "too many attempts")
	check(o.err == nil && o.echo != o.key && o.commits+o.requests > 0 && o.echo != "", "response of another call")
	if !o.call.mutating {
		check(o.requests > maxReadRequests, "retry loop of a reading call")
		check(o.notified > 0, "BeforeSend called for a reading call")
		return violations
	}
	check(o.notified != o.attempts, "BeforeSend not called for each attempt")
	check(o.requests > o.attempts, "more requests than attempts")
	check(o.commits > 1, "committed twice")
	check(o.requests > 1 && o.rejected < o.requests-1, "retried without proof that nothing was done")
	check(o.err == nil && o.commits == 0, "success without a commit")
	check(o.definite() && o.commits > 0, "definite error, but committed")
	return violations
}

func (o *outcome) definite() bool { return o.err != nil && !errors.Is(o.err, whozex.ErrOutcomeUnknown) }

func (o *outcome) class() string {
	kind, result := "read", "ok"
	if o.call.mutating {
		kind = "mutating"
	}
	switch {
	case o.definite():
		result = "error"
	case o.err != nil:
		result = "unknown"
	}
	return kind + " " + result
}

// tally counts calls by class.
type tally struct {
	mu    sync.Mutex
	rows  []string
	cells map[string]map[string]int
}

var classes = []string{"read ok", "read error", "mutating ok", "mutating error", "mutating unknown"}

func (c *tally) add(row string, o *outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cells == nil {
		c.cells = map[string]map[string]int{}
	}
	if c.cells[row] == nil {
		c.cells[row] = map[string]int{}
		c.rows = append(c.rows, row)
	}
	c.cells[row][o.class()]++
	if o.call.mutating {
		c.cells[row]["commits"] += o.commits
		c.cells[row]["retried"] += max(o.requests-1, 0)
	}
}

func (c *tally) String() string {
	columns := append(slices.Clone(classes), "commits", "retried")
	var b strings.Builder
	fmt.Fprintf(&b, "%-50s %s\n", "", strings.Join(columns, " | "))
	for _, row := range c.rows {
		fmt.Fprintf(&b, "%-50s", row)
		for _, column := range columns {
			fmt.Fprintf(&b, " %*d |", len(column), c.cells[row][column])
		}
		b.WriteString("\n")
	}
	return b.String()
}
