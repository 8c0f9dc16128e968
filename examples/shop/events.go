package shop

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// Receive serves the webhook until ctx ends, and then the deliveries under way.
// Purchases are the shop's own matter, other events go to other.
func (s *Shop) Receive(ctx context.Context, listener net.Listener, secret string, other func(context.Context, *webhookverify.Event) error) error {
	verifier, err := webhookverify.New(secret, webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(24*time.Hour, 100_000)),
		webhookverify.WithErrorHandler(func(_ *http.Request, err error) { s.Log.Warn("webhook", "error", err) }))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks", verifier.Handler(func(ctx context.Context, event *webhookverify.Event) error {
		if event.Name != whozex.EventPackageCreated {
			return other(ctx, event)
		}
		var created whozex.PackageCreated
		if err := event.Decode(&created); err != nil {
			return err
		}
		return s.Heard(ctx, created, event.Timestamp)
	}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(last)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
