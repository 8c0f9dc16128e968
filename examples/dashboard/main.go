// Command dashboard serves a reseller's dashboard: balance, charts, users,
// packages, prices and webhook events as they arrive.
//
//	go -C examples run ./dashboard
//	WHOZEX_API_KEY=wx_live_… go -C examples run ./dashboard
//
// Without a key it starts a fake server of the API and fills it with an example
// business; no real money moves. With a key it reads the live API, and spends
// only with -write. WHOZEX_BASE_URL is obeyed as everywhere in the SDK.
//
// Live events need a tunnel that leads a public https address, which you register
// once, to /webhooks here, and its secret in WHOZEX_WEBHOOK_SECRET. The dashboard
// registers none itself: an account may have only ten and cannot remove one.
//
// It has no login, and listens on loopback alone. -token asks for a password.
// Behind a proxy that logs people in, -trust-header takes the user from a header
// that the proxy sets; nobody but the proxy may reach the dashboard then, for
// whoever does can set the header. Both go together. /healthz is open to all, as
// is /webhooks, whose events are signed; /metrics is not.
//
// The API has no route that lists packages, so the dashboard shows those bought
// in it or seen in package.created events. It reads one of them every -survey, to
// know which are low or used up. -data keeps them, the events, and the idempotency
// keys of every purchase, top-up and deduction, in a file over restarts.
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
	ttl   time.Duration // of what the API said; cacheTTL if 0
	write bool
	// pace is how often something happens in the example business; 0 is never.
	pace time.Duration
	// survey is how often a package is read to know what is left of it; 0 is never.
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

// parse reads the command line. What is wrong with it is on stderr already.
func parse(args []string, stderr io.Writer) (config, error) {
	var cfg config
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:8788", "`address` to listen on; beyond loopback with -trust-header or -token only")
	flags.BoolVar(&cfg.write, "write", false, "allow top-ups, deductions and purchases on the live API")
	flags.StringVar(&cfg.data, "data", "", "keep packages and purchases of the live API in `file`; in memory if empty")
	flags.StringVar(&cfg.token, "token", os.Getenv("WHOZEX_DASHBOARD_TOKEN"), "password of the pages, 16 `characters` or more; better in WHOZEX_DASHBOARD_TOKEN, where no list of processes shows it")
	flags.StringVar(&cfg.trustHeader, "trust-header", "", "`header` in which a proxy says who is looking, such as X-Forwarded-User")
	flags.DurationVar(&cfg.pace, "pace", 7*time.Second, "how often something happens in the example business; 0 for never")
	flags.DurationVar(&cfg.survey, "survey", 500*time.Millisecond, "how often a package is read, one after another, to know which are low; 0 for never")
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
		return errors.New("-data is for the live API: the sandbox starts anew each time")
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

// httpServer has no write time-out, which would cut the streams of events.
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
