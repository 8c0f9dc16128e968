package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/shop"
	"github.com/whozex/whozex-go/webhookverify"
)

// receive serves the webhook until ctx ends, and then the deliveries under way.
func (b *bot) receive(ctx context.Context, listener net.Listener, secret string) error {
	verifier, err := webhookverify.New(secret, webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(24*time.Hour, 100_000)),
		webhookverify.WithErrorHandler(func(_ *http.Request, err error) { b.log.Warn("webhook", "error", err) }))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("POST /webhooks", verifier.Handler(b.onEvent))
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

func (b *bot) onEvent(ctx context.Context, event *webhookverify.Event) error {
	switch event.Name {
	case whozex.EventPackageCreated:
		var created whozex.PackageCreated
		if err := event.Decode(&created); err != nil {
			return err
		}
		return b.shop.Heard(ctx, created, event.Timestamp)
	case whozex.EventPackageLowGB:
		return b.onLow(ctx, event)
	}
	return nil
}

// onLow tells the owner that little is left, once for each crossing. The event's
// fields are not documented: what cannot be read goes to the admins as it came.
func (b *bot) onLow(ctx context.Context, event *webhookverify.Event) error {
	var low struct {
		PackageID string `json:"package_id"`
	}
	readErr := event.Decode(&low)
	bought, owners, err := b.shop.Orders(func(_ *shop.Customer, o *shop.Order) bool {
		return low.PackageID != "" && o.PackageID == low.PackageID
	})
	if err != nil {
		return err
	}
	if readErr != nil || len(bought) == 0 {
		b.alarm(ctx, say("An event came that cannot be read here:\n<code>%v</code>", fmt.Sprintf("%.3000s", event.Body)))
		return nil
	}
	pkg, err := b.api.GetPackage(ctx, low.PackageID)
	if err != nil {
		return err // it comes again
	}
	// More GB make the total another one, and the next crossing a new one.
	news, total := false, pkg.TotalGB.String()
	_, err = b.shop.Change(owners[0].ID, bought[0].ID, func(_ *shop.Customer, o *shop.Order) error {
		news, o.Told = o.Told != total, total
		return nil
	})
	if err == nil && news {
		b.tell(ctx, owners[0].ID, say("Package <code>%v</code> has %v of %v GB left.", low.PackageID, pkg.RemainingGB, total))
	}
	return err
}
