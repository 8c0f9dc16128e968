// Command webhookreceiver takes the events of the Whozex Reseller API and writes
// them to stdout, one JSON object a line:
//
//	WHOZEX_WEBHOOK_SECRET=wxsec_example webhookreceiver -addr 127.0.0.1:8080 >> events.jsonl
//
// It takes them at /webhooks. The API sends over https alone, so in production
// a reverse proxy with a certificate stands in front of it. With -sandbox it needs
// no account: it registers itself at a fake server of the API, makes that send a few
// events, and ends.
//
//	go -C examples run ./webhookreceiver -sandbox
//
// An event is responded with 200 once it is committed to the inbox of -database,
// SQLite or PostgreSQL, and its line follows from a worker. However the program
// ends, nothing that was answered is lost, and the next start goes on with it.
// SIGTERM or an interrupt lets the deliveries and lines that are under way finish:
// each event is written once. A program that is killed between a line and its mark
// in the database writes that line again, with the same id. Replicas with the same
// database write each event once between them. An event that is redelivered within 90
// days is recognized.
//
// A line that cannot be written, say because the disk is full, is tried again for
// some hours. Then the event is dead:
//
//	webhookreceiver -dead        # lists dead events
//	webhookreceiver -retry ID    # hands one to the workers again
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
	// Who signals a second time does not want to wait: that one kills.
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
	retry := flags.String("retry", "", "hand the dead event of this `ID` to the workers again, and end")
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

// receiveDemo listens first, since the address must be known before the secret
// is; what arrives in between waits in the listener.
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
	err = trade(ctx, server)
	if err == nil {
		err = r.settle(ctx)
	}
	cancel()
	return errors.Join(err, <-served)
}
