// Command webhookreceiver receives the events of the Whozex Reseller API and writes
// them to stdout, one JSON object per line:
//
//	WHOZEX_WEBHOOK_SECRET=wxsec_example webhookreceiver -addr 127.0.0.1:8080 >> events.jsonl
//
// It receives them at /webhooks. The API sends over https only, so in production run it
// behind a reverse proxy with a certificate. With -sandbox it needs no account: it
// registers itself at a fake server of the API, which sends a few events, and ends.
//
//	go -C examples run ./webhookreceiver -sandbox
//
// It responds with 200 once an event is committed to the inbox of -database, SQLite or
// PostgreSQL; a worker writes the line afterwards. However the program ends, no
// acknowledged event is lost, and the next start continues with it. After SIGTERM or an
// interrupt it first finishes the deliveries and lines in progress, so each event is
// written once. If it is killed after a line is written and before that is stored, it
// writes the line again, with the same id. Several replicas with the same database write
// each event once. A redelivery within 90 days is skipped.
//
// If a line cannot be written, for example because the disk is full, it is retried for
// some hours. After that the event is dead:
//
//	webhookreceiver -dead        # lists dead events
//	webhookreceiver -retry ID    # retries one
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal kills the process.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("webhookreceiver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	source := flags.String("database", "sqlite:webhookreceiver.db", "`database` of the inbox, sqlite:FILE or postgres://…")
	sandbox := flags.Bool("sandbox", false, "receive a few events of a fake server of the API, with a database in memory, and end")
	dead := flags.Bool("dead", false, "list the events that could not be written, and end")
	retry := flags.String("retry", "", "retry the dead event with this `ID`, and end")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "webhookreceiver: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	work := func(ctx context.Context, r *receiver) error { return receiveLive(ctx, *addr, r) }
	switch {
	case *sandbox:
		*source = "sqlite::memory:"
		work = func(ctx context.Context, r *receiver) error { return receiveDemo(ctx, *addr, r) }
	case *dead:
		work = listDead
	case *retry != "":
		work = func(ctx context.Context, r *receiver) error { return r.inbox.Retry(ctx, *retry) }
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	if err := withReceiver(ctx, *source, stdout, logger, work); err != nil {
		_, _ = fmt.Fprintln(stderr, "webhookreceiver:", err)
		return 1
	}
	return 0
}

func withReceiver(ctx context.Context, source string, stdout io.Writer, logger *slog.Logger, work func(context.Context, *receiver) error) error {
	store, err := idempotency.Open(ctx, source)
	if err != nil {
		return fmt.Errorf("-database: %w", err)
	}
	r, err := newReceiver(ctx, store, stdout, logger)
	if err == nil {
		err = work(ctx, r)
	}
	return errors.Join(err, store.Close())
}

func receiveLive(ctx context.Context, addr string, r *receiver) error {
	secret := os.Getenv("WHOZEX_WEBHOOK_SECRET")
	if secret == "" {
		return errors.New("WHOZEX_WEBHOOK_SECRET is empty: set it to the secret that CreateWebhook returned, or try -sandbox")
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return r.serve(ctx, listener, secret)
}

// receiveDemo listens before it registers, since the webhook needs the address. The
// listener queues what arrives before the secret is known.
func receiveDemo(ctx context.Context, addr string, r *receiver) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	server, err := whozextest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	secret, err := register(ctx, server, "http://"+listener.Addr().String()+path)
	if err != nil {
		return fmt.Errorf("registering at the sandbox: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- r.serve(ctx, listener, secret) }()
	err = causeEvents(ctx, server)
	if err == nil {
		err = r.waitUntilIdle(ctx)
	}
	cancel()
	return errors.Join(err, <-served)
}
