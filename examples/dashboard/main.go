// Command dashboard serves a reseller's dashboard: balance, charts, users,
// packages, prices and webhook events as they arrive.
//
//	go -C examples run ./dashboard
//	WHOZEX_API_KEY=wx_live_… go -C examples run ./dashboard
//
// Without a key it starts a fake server of the API with the data of an example
// business; no real money moves. With a key it reads the live API, and makes mutating
// calls only with -write. WHOZEX_BASE_URL works as in the SDK.
//
// For live events, run a tunnel from a public https URL to /webhooks here, register
// that URL as a webhook once, and set its secret in WHOZEX_WEBHOOK_SECRET. The
// dashboard registers no webhook: an account has at most ten and cannot remove one.
//
// The dashboard has no login and listens on loopback only. -token asks for a password.
// Behind a proxy with a login, -trust-header takes the user from a header that the
// proxy sets; then only the proxy may be able to reach the dashboard, since any other
// client could set the header. You can use both. /healthz and /webhooks, whose events
// are signed, need no login; /metrics does.
//
// The API has no route that lists packages, so the dashboard shows the packages bought
// in it or seen in package.created events. It reads one of them every -survey, to find
// those that are low or used up. -data stores them, the events and the idempotency keys
// of mutating calls in a file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type config struct {
	addr, data string
	access
	ttl   time.Duration // of cached responses; cacheTTL if 0
	write bool
	// pace is the interval between events of the example business; 0 means none.
	pace time.Duration
	// survey is the interval between reads of a package's remaining GB; 0 means never.
	survey time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := run(ctx, cfg, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// parse parses the command line and prints errors to stderr.
func parse(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:8788", "`address` to listen on; other than loopback only with -trust-header or -token")
	flags.BoolVar(&cfg.write, "write", false, "allow top-ups, deductions and purchases on the live API")
	flags.StringVar(&cfg.data, "data", "", "store packages, events and idempotency keys of the live API in `file`; in memory if empty")
	flags.StringVar(&cfg.token, "token", os.Getenv("WHOZEX_DASHBOARD_TOKEN"), "password of the pages, at least 16 `characters`; prefer WHOZEX_DASHBOARD_TOKEN, which ps does not show")
	flags.StringVar(&cfg.trustHeader, "trust-header", "", "`header` in which a proxy names the user, such as X-Forwarded-User")
	flags.DurationVar(&cfg.pace, "pace", 7*time.Second, "interval between events of the example business; 0 for none")
	flags.DurationVar(&cfg.survey, "survey", 500*time.Millisecond, "interval between reads of one package after another, to find low ones; 0 for never")
	if err := flags.Parse(args); err != nil {
		return cfg, err
	}
	err := cfg.check(flags.Args())
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "dashboard:", err)
	}
	return cfg, err
}

func (cfg config) check(rest []string) error {
	host, _, err := net.SplitHostPort(cfg.addr)
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case err != nil:
		return fmt.Errorf("-addr: %w", err)
	case cfg.data != "" && os.Getenv("WHOZEX_API_KEY") == "":
		return errors.New("-data is for the live API only: the sandbox starts empty each time")
	case cfg.pace < 0:
		return errors.New("-pace: negative")
	case cfg.survey < 0:
		return errors.New("-survey: negative")
	}
	return cfg.access.check(host)
}

func run(ctx context.Context, cfg config, out io.Writer) error {
	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return err
	}
	d, err := start(ctx, cfg, listener)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "http://%s  %s\n", listener.Addr(), d.mode); err != nil {
		return errors.Join(err, d.close())
	}
	select {
	case <-ctx.Done():
		return d.close()
	case err := <-d.ended:
		return errors.Join(err, d.close())
	}
}

// httpServer has no write timeout, since that would end event streams.
func httpServer(ctx context.Context, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
}
