package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

//go:embed assets templates
var files embed.FS

// However many look on, the API is asked for each thing once in cacheTTL, and
// perSecond times in all.
const (
	cacheTTL  = 5 * time.Second
	perSecond = 10
	burst     = 40
)

// dashboard is all that runs.
type dashboard struct {
	mode     string // for the eye: sandbox, or live and what is allowed
	write    bool
	access   access
	client   *whozex.Client
	sandbox  *whozextest.Server // nil on the live API
	business *business          // that fills the sandbox
	store    *store
	once     *idempotency.Once
	ops      *operations
	shelf    *shelf
	people   *people
	met      atomic.Bool // people are read
	hub      *hub
	verifier atomic.Pointer[webhookverify.Verifier]
	pages    *template.Template
	metrics  http.Handler
	version  string // of the assets, so that browsers may keep them for ever

	http    *http.Server
	ended   chan error
	stop    context.CancelFunc // ends streams and background work
	running sync.WaitGroup     // mutating calls, and background work
}

// start serves on listener, which it closes in the end or when it fails.
func start(ctx context.Context, cfg config, listener net.Listener) (*dashboard, error) {
	// Streams and spends end in close, in order, not when ctx does.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &dashboard{hub: newHub(), people: newPeople(), ended: make(chan error, 1), stop: stop}
	if err := d.set(ctx, cfg); err != nil {
		return nil, errors.Join(err, listener.Close(), d.close())
	}
	d.http = httpServer(ctx, d.handler())
	go func() {
		if err := d.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.ended <- err
		}
	}()
	if d.sandbox != nil {
		if err := d.demo(ctx, "http://"+listener.Addr().String()+"/webhooks", cfg.pace); err != nil {
			return nil, errors.Join(err, d.close())
		}
	}
	d.running.Go(func() { d.meet(ctx) })
	d.running.Go(func() { d.settle(ctx) })
	if cfg.survey > 0 {
		d.running.Go(func() { d.survey(ctx, cfg.survey) })
	}
	return d, nil
}

func (d *dashboard) set(ctx context.Context, cfg config) (err error) {
	d.access = cfg.access
	if d.pages, d.version, err = parsePages(); err != nil {
		return err
	}
	d.ops = &operations{all: map[string]*operation{}}
	if d.store, err = openStore(ctx, cfg.data); err != nil {
		return err
	}
	packages, err := d.store.packages(ctx)
	if err != nil {
		return err
	}
	d.shelf = newShelf(packages, d.store)
	options, metrics, err := newMetrics(d.store.keys)
	if err != nil {
		return err
	}
	d.metrics = metrics
	options = append(options, whozex.WithCache(cmp.Or(cfg.ttl, cacheTTL)), whozex.WithLimiter(rate.NewLimiter(perSecond, burst)), whozex.WithUserAgent("whozex-dashboard"))
	if os.Getenv("WHOZEX_API_KEY") == "" {
		d.mode, d.write = "Sandbox: no real money moves", true
		if d.business, err = newBusiness(); err != nil {
			return err
		}
		d.sandbox = d.business.server
		d.client = d.sandbox.Client(options...)
		d.once = idempotency.New(d.client, d.store.keys)
		return nil
	}
	d.mode, d.write = "Live account, reading only", cfg.write
	if cfg.write {
		d.mode = "Live account: real money"
	}
	if secret := os.Getenv("WHOZEX_WEBHOOK_SECRET"); secret != "" {
		if err := d.listenFor(secret); err != nil {
			return err
		}
	}
	if d.client, err = whozex.FromEnv(options...); err != nil {
		return err
	}
	// Nobody else buys on the sandbox. On the live API a bot may.
	d.once = idempotency.New(d.client, d.store.keys, idempotency.WithOtherBuyers())
	return nil
}

// close lets a call that spends come to its end, so that its outcome is known.
func (d *dashboard) close() error {
	d.stop()
	var errs []error
	if d.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := d.http.Shutdown(ctx); err != nil {
			errs = append(errs, err, d.http.Close())
		}
	}
	d.running.Wait()
	if d.client != nil {
		d.client.CloseIdleConnections()
	}
	if d.sandbox != nil {
		d.business.client.CloseIdleConnections()
		d.sandbox.Close()
	}
	if d.store != nil {
		errs = append(errs, d.store.close())
	}
	return errors.Join(errs...)
}

func (d *dashboard) handler() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /{$}", d.index)
	pages.HandleFunc("GET /users.csv", d.usersCSV)
	pages.HandleFunc("GET /packages.csv", d.packagesCSV)
	pages.HandleFunc("GET /transactions.csv", d.transactionsCSV)
	pages.HandleFunc("GET /users/{id}", d.user)
	pages.HandleFunc("GET /packages", d.packages)
	pages.HandleFunc("GET /charts", d.charts)
	pages.HandleFunc("POST /packages/{id}/credentials", d.credentials)
	pages.HandleFunc("POST /packages/{id}/add-gb", d.writing(d.quoteAddGB))
	pages.HandleFunc("POST /users/{id}/top-up", d.writing(d.quoteMove("top-up")))
	pages.HandleFunc("POST /users/{id}/deduct", d.writing(d.quoteMove("deduction")))
	pages.HandleFunc("POST /users/{id}/purchase", d.writing(d.quotePurchase))
	pages.HandleFunc("GET /operations", d.openOutcomes)
	pages.HandleFunc("POST /operations/{id}/resolve", d.writing(d.resolve))
	pages.HandleFunc("GET /operations/{id}", d.operation)
	pages.HandleFunc("POST /operations/{id}", d.writing(d.confirm))
	pages.HandleFunc("POST /operations/{id}/ask", d.askAgain)
	pages.HandleFunc("GET /events", d.stream)
	pages.HandleFunc("GET /assets/", d.asset)
	pages.Handle("GET /metrics", d.metrics)
	pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, http.StatusNotFound, "There is no such page.")
	})
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, http.StatusForbidden, "This request came from another site. Nothing was done.")
	}))
	all := http.NewServeMux()
	all.Handle("/", d.access.guard(csrf.Handler(http.MaxBytesHandler(pages, 16<<10))))
	all.HandleFunc("GET /healthz", d.healthz)
	// Events arrive through a tunnel under any name; their signature is the proof.
	all.HandleFunc("/webhooks", d.webhook)
	return secured(all)
}

// secured sets what holds for every answer.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would make the Origin of forms null
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// onlyLoopback refuses names of others that lead here: a page on evil.example
// whose name is made to point to 127.0.0.1 would be of the same origin.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(host) {
			http.Error(w, "This dashboard answers to loopback names only.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

func (d *dashboard) asset(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("v") == d.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.FileServerFS(files).ServeHTTP(w, r)
}

func parsePages() (*template.Template, string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, "assets", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(path)
		_, _ = sum.Write(content)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	pages, err := template.New("").Funcs(functions).ParseFS(files, "templates/*.html")
	return pages, fmt.Sprintf("%x", sum.Sum(nil)[:6]), err
}

// page is what the frame of every page shows.
type page struct {
	Title, Mode, Version string
	Live, Write          bool
	Person               string // as the proxy says
	InDoubt              []operation
	Data                 any
}

func (d *dashboard) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	var buf bytes.Buffer
	err := d.pages.ExecuteTemplate(&buf, name, page{
		Title: title, Mode: d.mode, Version: d.version, Live: d.sandbox == nil, Write: d.write, Person: person(r.Context()), InDoubt: d.unknown(r.Context()), Data: data,
	})
	if err != nil {
		http.Error(w, "The page could not be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

func (d *dashboard) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	d.render(w, r, status, "message", http.StatusText(status), message)
}
