// Command lambda receives the events of the Whozex Reseller API in AWS Lambda,
// behind an HTTP API of API Gateway or a function URL. It needs
// WHOZEX_WEBHOOK_SECRET. With REDIS_URL, only one of all instances handles each event.
// Outside Lambda it prints its responses to a few example deliveries:
//
//	go -C examples run ./lambda
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/redis/go-redis/v9"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/webhookverify"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lambda:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stdout io.Writer) error {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		return demo(ctx, stdout)
	}
	var opts []webhookverify.Option
	if url := os.Getenv("REDIS_URL"); url != "" {
		options, err := redisguard.ParseURL(url)
		if err != nil {
			return err
		}
		store, err := redisguard.NewReplayStore(redis.NewClient(options))
		if err != nil {
			return err
		}
		opts = append(opts, webhookverify.WithReplayStore(store))
	}
	verifier, err := webhookverify.New(os.Getenv("WHOZEX_WEBHOOK_SECRET"), opts...)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(stdout, nil))
	lambda.StartWithOptions(receiver{verifier, logger, newMux(logger).Handle}.receive, lambda.WithContext(ctx))
	return nil
}

// newMux returns the handler of the events, which logs them.
func newMux(logger *slog.Logger) *webhookverify.Mux {
	mux := new(webhookverify.Mux)
	mux.On(whozex.EventPackageCreated, webhookverify.Decoded(
		func(ctx context.Context, event *webhookverify.Event, created whozex.PackageCreated) error {
			logger.InfoContext(ctx, "package created", "id", event.ID, "package", created.PackageID, "gb", created.GB)
			return nil
		}))
	mux.Default(func(ctx context.Context, event *webhookverify.Event) error {
		logger.InfoContext(ctx, "event", "id", event.ID, "name", event.Name)
		return nil
	})
	return mux
}
