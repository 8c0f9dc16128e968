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
	callCount = flag.Int("calls", 20_000, "how many calls TestOneCallIsCarriedOutOnce makes")
	seed      = flag.Uint64("seed", 0, "of its random numbers; 0 draws one")
)

// TestMain has the default transport, which takes no certificates, trust the one
// of the tests.
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

func trusting() *http.Transport {
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

// keyed sets an idempotency header, which net/http takes for leave to send again.
func keyed(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		r.Header.Set("Idempotency-Key", "k")
		return next.RoundTrip(r)
	})
}

// hidden is next as no type that the SDK knows.
func hidden(next http.RoundTripper) http.RoundTripper { return roundTrip(next.RoundTrip) }

// failingOver asks a second host, which is down, when the first fails. It has a
// context of its own, so that no trace of the SDK sees what it does.
func failingOver(next http.RoundTripper) http.RoundTripper {
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

// makings are the transports that users put in.
func makings(t *testing.T) map[string][]whozex.Option {
	t.Helper()
	with := func(rt http.RoundTripper, opts ...whozex.Option) []whozex.Option {
		if pooled, ok := rt.(*http.Transport); ok {
			t.Cleanup(pooled.CloseIdleConnections)
		}
		return append(opts, whozex.WithHTTPClient(&http.Client{Transport: rt}))
	}
	configured := trusting()
	_, err := http2.ConfigureTransports(configured)
	require.NoError(t, err)
	only := trusting()
	only.Protocols = new(http.Protocols)
	only.Protocols.SetHTTP2(true)
	beneath := trusting()
	t.Cleanup(beneath.CloseIdleConnections)
	return map[string][]whozex.Option{
		"default":               nil,
		"default, middleware":   {whozex.WithMiddleware(hidden, keyed)},
		"caller's":              with(trusting()),
		"caller's, x/net":       with(configured),
		"caller's, HTTP/2 only": with(only),
		"caller's, middleware":  with(trusting(), whozex.WithMiddleware(keyed)),
		"foreign":               with(hidden(beneath)),
		"foreign, keyed":        with(keyed(beneath)),
		"foreign, fails over":   with(failingOver(beneath)),
	}
}

// TestOneCallIsCarriedOutOnce holds the caller's word against the books of a server
// that breaks at random.
func TestOneCallIsCarriedOutOnce(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	all, bodies := responses(t)
	var total tally
	options := makings(t)
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range options {
			if !yield(name) {
				return
			}
		}
	})
	for _, protocols := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}} {
		for i, name := range names {
			if name == "caller's, HTTP/2 only" && protocols[0] != "h2" {
				continue
			}
			t.Run(protocols[0]+"/"+name, func(t *testing.T) {
				s := &storm{
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

// storm makes many calls at once by one kind of transport.
type storm struct {
	all   []call
	name  string
	opts  []whozex.Option
	count int
	rng   *random
	tally *tally
}

const maxRetries = 3

func (s *storm) run(t *testing.T, bodies map[string]string, protocols []string) {
	server := newWireServer(t, bodies, func(success string) (p plan) {
		s.rng.do(func(r *rand.Rand) { p = draw(r, success) })
		return p
	}, func() (yes bool) {
		s.rng.do(func(r *rand.Rand) { yes = r.IntN(30) == 0 })
		return yes
	}, protocols...)
	const lanes = 32
	var next atomic.Int64
	var group sync.WaitGroup
	var mu sync.Mutex
	var made []*outcome
	for range lanes {
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
				o := s.one(t, client, s.all[int(n)%len(s.all)], fmt.Sprintf("wx_live_%d", n))
				mu.Lock()
				made = append(made, o)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	server.close()
	for _, o := range made {
		o.requests, o.void, o.commits = server.read(o.key)
		s.tally.add(s.name, o)
		for _, wrong := range o.wrong() {
			t.Errorf("%s %s: %s (%d announced, %d attempts, %d requests, %d void, %d commits): %v",
				o.call.name, o.key, wrong, o.announced, o.attempts, o.requests, o.void, o.commits, o.err)
		}
	}
}

// outcome is what a caller and the server's ledger say of one call.
type outcome struct {
	call                    call
	key                     string
	err                     error
	echo                    string
	announced, attempts     int
	requests, void, commits int
}

func (s *storm) one(t *testing.T, client *whozex.Client, c call, key string) *outcome {
	o := &outcome{call: c, key: key}
	if err := client.SetAPIKey(key); err != nil {
		t.Error(err)
	}
	var resp whozex.Response
	o.err = c.make(t.Context(), client, whozex.CaptureResponse(&resp), whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
		o.announced++
		if record.Attempts != o.announced {
			t.Errorf("record %d says attempt %d", o.announced, record.Attempts)
		}
		return nil
	}))
	o.attempts, o.echo = resp.Attempts, resp.Meta.Version
	return o
}

// maxReadRequests bounds what net/http may repeat of a read on connections that
// turn out to be dead.
const maxReadRequests = 60

// wrong holds the caller's word against the books.
func (o *outcome) wrong() (faults []string) {
	say := func(yes bool, fault string) {
		if yes {
			faults = append(faults, fault)
		}
	}
	say(o.attempts > 1+maxRetries, "more attempts than allowed")
	say(o.err == nil && o.echo != o.key && o.commits+o.requests > 0 && o.echo != "", "another call's response")
	if !o.call.mutating {
		say(o.requests > maxReadRequests, "a loop of reads")
		say(o.announced > 0, "a read announced")
		return faults
	}
	say(o.announced != o.attempts, "attempts not announced")
	say(o.requests > o.attempts, "sent more often than attempted")
	say(o.commits > 1, "carried out twice")
	say(o.requests > 1 && o.void < o.requests-1, "sent again without proof that it did nothing")
	say(o.err == nil && o.commits == 0, "success without a commit")
	say(o.definite() && o.commits > 0, "a definite error against a commit")
	return faults
}

func (o *outcome) definite() bool { return o.err != nil && !errors.Is(o.err, whozex.ErrOutcomeUnknown) }

func (o *outcome) class() string {
	kind, word := "read", "ok"
	if o.call.mutating {
		kind = "mutating"
	}
	switch {
	case o.definite():
		word = "error"
	case o.err != nil:
		word = "unknown"
	}
	return kind + " " + word
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
		c.cells[row]["sent again"] += max(o.requests-1, 0)
	}
}

func (c *tally) String() string {
	columns := append(slices.Clone(classes), "commits", "sent again")
	var b strings.Builder
	fmt.Fprintf(&b, "%-34s %s\n", "", strings.Join(columns, " | "))
	for _, row := range c.rows {
		fmt.Fprintf(&b, "%-34s", row)
		for _, column := range columns {
			fmt.Fprintf(&b, " %*d |", len(column), c.cells[row][column])
		}
		b.WriteString("\n")
	}
	return b.String()
}
