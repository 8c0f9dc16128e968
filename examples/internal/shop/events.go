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
		return s.Created(ctx, event)
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

// Created settles a purchase whose response was lost by its package.created event.
// A package of a customer's that no order accounts for is for an admin.
func (s *Shop) Created(ctx context.Context, event *webhookverify.Event) error {
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
		if r.Operation == whozex.OpPurchasePackage && r.State != idempotency.Failed && r.ResultID == "" && created.GB.Equal(paramsOf(r).GB) {
			return nil // it is that one's, whose response may still come
		}
	}
	_, unknown := s.Once.FindResult(ctx, created.UserID)
	if err == nil && (unknown == nil || len(orders) > 0) {
		s.Alarm(ctx, fmt.Sprintf("Package %s of %s GB was created for user %s, and no order here accounts for it.",
			created.PackageID, created.GB, created.UserID))
	}
	return err
}
