// Command sandbox runs a fake server of the Whozex Reseller API on loopback, for
// programs in any language. Its first two lines set the environment variables in a
// shell:
//
//	eval "$(sandbox | head -2)"
//
// It runs until it is interrupted. With -network it also serves other machines and
// containers, see compose.yaml.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/whozextest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	options, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	if err := serve(ctx, options, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

// parse parses the command line. It prints errors to stderr.
func parse(args []string, stderr io.Writer) ([]whozextest.Option, error) {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8787", "loopback `address` to listen on")
	network := flags.Bool("network", false, "listen on any address, and send events to any host")
	balance := decimal.NewFromInt(150)
	flags.TextVar(&balance, "balance", balance, "the reseller's initial balance in `USD`")
	users := flags.Int("users", 0, "`number` of sub-users to start with")
	latency := flags.Duration("latency", 0, "delay each response by this time")
	rate := flags.Float64("rate", 0, "rate limit in requests per `second`; 0 for no limit")
	burst := flags.Int("burst", 10, "`number` of requests in a burst")
	headers := flags.String("rate-headers", "", "report the rate limit in this `form`: IETF, draft 7, draft 6, Kong, Envoy or GitHub")
	key := flags.String("key", "", "API `key`; random if empty")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		_, _ = fmt.Fprintln(stderr, "sandbox:", err)
		return nil, err
	}
	options := []whozextest.Option{
		whozextest.WithBalance(balance), whozextest.WithUsers(*users), whozextest.WithLatency(*latency),
	}
	if *network {
		options = append(options, whozextest.WithAddrAnywhere(*addr), whozextest.WithDeliveriesAnywhere())
	} else {
		options = append(options, whozextest.WithAddr(*addr))
	}
	if *rate != 0 {
		options = append(options, whozextest.WithRateLimit(*rate, *burst))
	}
	if *headers != "" {
		options = append(options, whozextest.WithRateLimitHeaders(whozextest.RateLimitHeaders(*headers)))
	}
	if *key != "" {
		options = append(options, whozextest.WithAPIKey(*key))
	}
	return options, nil
}

func serve(ctx context.Context, options []whozextest.Option, stdout, stderr io.Writer) error {
	server, err := whozextest.Start(options...)
	if err != nil {
		return err
	}
	defer server.Close()
	_, err = fmt.Fprintf(stdout, "export WHOZEX_BASE_URL=%s\nexport WHOZEX_API_KEY=%s\n", server.URL, server.APIKey)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(stderr, "No real money is spent. Interrupt to stop.")
	<-ctx.Done()
	return nil
}
