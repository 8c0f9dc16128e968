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

// The number of viewers does not matter: the dashboard requests each resource at most
// once per cacheTTL, and at most perSecond resources per second.
const (
	cacheTTL  = 5 * time.Second
	perSecond = 10
	burst     = 40
)

// dashboard holds all parts of the running program.
type dashboard struct {
	mode      string // shown on each page: sandbox, or live with or without writing
	write     bool
	access    access
	client    *whozex.Client
	sandbox   *whozextest.Server // nil on the live API
	business  *business          // the data of the sandbox
	store     *store
	once      *idempotency.Once
	ops       *operations
	catalog   *catalog
	userCache *userCache
	usersRead atomic.Bool // the first read of all users has ended
	hub       *hub
	verifier  atomic.Pointer[webhookverify.Verifier]
	pages     *template.Template
	metrics   http.Handler
	version   string // of the assets, so that browsers can cache them forever

	http    *http.Server
	ended   chan error
	stop    context.CancelFunc // ends streams and background work
	running sync.WaitGroup     // mutating calls, and background work
}

// start serves on listener. The listener is closed by close, or here on an error.
func start(ctx context.Context, cfg config, listener net.Listener) (*dashboard, error) {
	// Streams and mutating calls end in close, in order, not when ctx ends.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &dashboard{hub: newHub(), userCache: newUserCache(), ended: make(chan error, 1), stop: stop}
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
	d.running.Go(func() { d.readUsers(ctx) })
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
	d.catalog = newCatalog(packages, d.store)
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
	d.mode, d.write = "Live account, read-only", cfg.write
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
	// On the live API another program may buy too; nobody else uses the sandbox.
	d.once = idempotency.New(d.client, d.store.keys, idempotency.WithOtherBuyers())
	return nil
}

// close waits for mutating calls, so that their outcomes are known.
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
	pages.HandleFunc("POST /packages/{id}/add-gb", d.requireWrite(d.quoteAddGB))
	pages.HandleFunc("POST /users/{id}/top-up", d.requireWrite(d.quoteTransfer("top-up")))
	pages.HandleFunc("POST /users/{id}/deduct", d.requireWrite(d.quoteTransfer("deduction")))
	pages.HandleFunc("POST /users/{id}/purchase", d.requireWrite(d.quotePurchase))
	pages.HandleFunc("GET /operations", d.openOutcomes)
	pages.HandleFunc("POST /operations/{id}/resolve", d.requireWrite(d.resolve))
	pages.HandleFunc("GET /operations/{id}", d.operation)
	pages.HandleFunc("POST /operations/{id}", d.requireWrite(d.confirm))
	pages.HandleFunc("POST /operations/{id}/ask", d.askAgain)
	pages.HandleFunc("GET /events", d.stream)
	pages.HandleFunc("GET /assets/", d.asset)
	pages.Handle("GET /metrics", d.metrics)
	pages.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, http.StatusNotFound, "Page not found.")
	})
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fail(w, r, http.StatusForbidden, "This request came from another site. Nothing was done.")
	}))
	all := http.NewServeMux()
	all.Handle("/", d.access.guard(csrf.Handler(http.MaxBytesHandler(pages, 16<<10))))
	all.HandleFunc("GET /healthz", d.healthz)
	// A tunnel has any host name, so /webhooks is not limited to loopback names. Events
	// are verified by their signature.
	all.HandleFunc("/webhooks", d.webhook)
	return securityHeaders(all)
}

// securityHeaders sets the headers of every response.
func securityHeaders(next http.Handler) http.Handler {
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

// onlyLoopback accepts only loopback host names. This prevents DNS rebinding: if
// evil.example resolved to 127.0.0.1, its pages would have the same origin.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(host) {
			http.Error(w, "This dashboard accepts loopback host names only.", http.StatusMisdirectedRequest)
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

// page is the data of every page; Data is that of its template.
type page struct {
	Title, Mode, Version string
	Live, Write          bool
	Person               string // the user, by the proxy's header
	Unknown              []operation
	Data                 any
}

func (d *dashboard) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	var buf bytes.Buffer
	err := d.pages.ExecuteTemplate(&buf, name, page{
		Title: title, Mode: d.mode, Version: d.version, Live: d.sandbox == nil, Write: d.write, Person: person(r.Context()), Unknown: d.unknown(r.Context()), Data: data,
	})
	if err != nil {
		http.Error(w, "The page could not be rendered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

func (d *dashboard) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	d.render(w, r, status, "message", http.StatusText(status), message)
}
