// Command quickstart calls every route of the API, in the order of a reseller's day, on
// a fake server that it starts itself. With WHOZEX_API_KEY set it makes only reading
// calls, to the live API.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	if os.Getenv("WHOZEX_API_KEY") != "" {
		client, err := whozex.FromEnv()
		if err != nil {
			return err
		}
		return runLive(ctx, client, out)
	}
	server := whozextest.NewServer()
	defer server.Close()
	return runTour(ctx, server, out)
}

// printLine prints one line of the transcript.
func printLine(out io.Writer, topic, format string, args ...any) {
	_, _ = fmt.Fprintf(out, "%-13s %s\n", topic, fmt.Sprintf(format, args...))
}

func usd(d decimal.Decimal) string { return "$" + d.StringFixed(2) }
