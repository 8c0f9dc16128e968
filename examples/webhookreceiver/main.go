// Command webhookreceiver takes the events of the Whozex Reseller API and writes
// them to stdout, one JSON object a line:
//
//	WHOZEX_WEBHOOK_SECRET=wxsec_example webhookreceiver -addr 127.0.0.1:8080 >> events.jsonl
//
// It takes them at /webhooks. The API sends over https alone, so in production
// a reverse proxy with a certificate stands in front of it. With -sandbox it needs
// no account: it registers itself at a stand-in of the API, makes that send a few
// events, and ends.
//
//	go -C examples run ./webhookreceiver -sandbox
//
// An event is answered with 200 only once its line is handed to the operating
// system, so an event that was answered is on stdout even if the program is killed
// next. SIGTERM or an interrupt lets the deliveries that are being handled finish.
// One process writes each event once. Across a restart an event may come twice:
// when its line was written and the answer did not get through, the sender comes
// again and the new process knows nothing of it. Both lines have the same id.
//
// With -redis redis://127.0.0.1:6379 what was handled outlives the process, and
// replicas with the same Redis write each event once between them.
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

	"github.com/whozex/whozex-go/webhookverify"
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
	redisURL := flags.String("redis", "", "`URL` of a Redis that remembers what was handled, for several replicas")
	sandbox := flags.Bool("sandbox", false, "receive a few events of a stand-in of the API and end")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "webhookreceiver: unexpected argument %q\n", flags.Arg(0))
		return 2
	}
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	receive := receiveLive
	if *sandbox {
		receive = receiveDemo
	}
	store, end, err := newStore(*redisURL)
	if err == nil {
		err = errors.Join(receive(ctx, *addr, store, stdout, logger), end())
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "webhookreceiver:", err)
		return 1
	}
	return 0
}

func receiveLive(ctx context.Context, addr string, store webhookverify.ReplayStore, stdout io.Writer, logger *slog.Logger) error {
	secret := os.Getenv("WHOZEX_WEBHOOK_SECRET")
	if secret == "" {
		return errors.New("WHOZEX_WEBHOOK_SECRET is empty: set it to the secret that CreateWebhook returned, or try -sandbox")
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return serve(ctx, listener, secret, store, stdout, logger)
}

// receiveDemo listens first, since the address must be known before the secret
// is; what arrives in between waits in the listener.
func receiveDemo(ctx context.Context, addr string, store webhookverify.ReplayStore, stdout io.Writer, logger *slog.Logger) error {
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
	go func() { served <- serve(ctx, listener, secret, store, stdout, logger) }()
	err = trade(ctx, server)
	cancel()
	return errors.Join(err, <-served)
}
