package shop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
)

// ServeWebhook serves the webhook until ctx ends and all deliveries in progress have
// finished. It handles package.created and passes other events to other.
func (s *Shop) ServeWebhook(ctx context.Context, listener net.Listener, secret string, other func(context.Context, *webhookverify.Event) error) error {
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
		return s.HandlePackageCreated(ctx, event)
	}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	shutdown := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		shutdown <- server.Shutdown(ctx)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-shutdown
}

// HandlePackageCreated resolves a purchase whose response was lost. It alerts an
// admin if a customer got a package without an order.
func (s *Shop) HandlePackageCreated(ctx context.Context, event *webhookverify.Event) error {
	if err := s.Once.HandleEvent(ctx, event); err != nil {
		return err
	}
	var created whozex.PackageCreated
	if err := event.Decode(&created); err != nil {
		return err
	}
	_, err := s.Once.FindResult(ctx, created.PackageID)
	if !errors.Is(err, idempotency.ErrUnknownKey) {
		return err
	}
	orders, err := s.Once.ListSubject(ctx, created.UserID)
	for _, r := range orders {
		if r.Operation == whozex.OpPurchasePackage && r.State != idempotency.Failed && r.ResultID == "" && created.GB.Equal(parseParams(r).GB) {
			return nil // probably this order's package: its response may still arrive
		}
	}
	_, customerErr := s.Once.FindResult(ctx, created.UserID)
	if err == nil && (customerErr == nil || len(orders) > 0) {
		s.AlertAdmin(ctx, fmt.Sprintf("Package %s of %s GB was created for user %s, but there is no order for it.",
			created.PackageID, created.GB, created.UserID))
	}
	return err
}
