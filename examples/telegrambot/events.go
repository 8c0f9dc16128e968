package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// A webhook whose registration may have worked, but whose secret is lost, takes
// one of the account's ten places for good.
const mostTries = 3

// register makes sure that there is a webhook, which is registered once and not
// at every start.
func (b *bot) register(ctx context.Context, url string) (webhook, error) {
	hook, _, err := get[webhook](b.store, meta, "webhook")
	if err != nil || hook.Secret != "" {
		return hook, err
	}
	if hook.Tries == mostTries {
		return hook, fmt.Errorf("no webhook after %d tries: the account has room for ten", mostTries)
	}
	hook.Tries++
	if err := b.store.put(meta, "webhook", hook); err != nil {
		return hook, err
	}
	made, err := b.api.CreateWebhook(ctx, whozex.CreateWebhookParams{
		URL: url, Events: []string{whozex.EventPackageCreated, whozex.EventPackageLowGB},
	})
	if err != nil {
		return hook, err
	}
	hook.ID, hook.Secret = made.ID, string(made.Secret)
	return hook, b.store.put(meta, "webhook", hook)
}

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
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(last)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

func (b *bot) onEvent(ctx context.Context, event *webhookverify.Event) error {
	switch event.Name {
	case whozex.EventPackageCreated:
		return b.onCreated(ctx, event)
	case whozex.EventPackageLowGB:
		return b.onLow(ctx, event)
	}
	return nil
}

// onCreated learns of a package, and brings back one whose purchase's answer was
// lost.
func (b *bot) onCreated(ctx context.Context, event *webhookverify.Event) error {
	var created whozex.PackageCreated
	if err := event.Decode(&created); err != nil {
		return err
	}
	if err := b.store.learn(pack{ID: created.PackageID, UserID: created.UserID, GB: created.GB.IntPart(), Seen: time.Now()}); err != nil {
		return err
	}
	waiting, err := all(b.store, orders, func(o order) bool {
		return o.UserID == created.UserID && !o.topUp() && (o.State == unknown || o.State == paid)
	})
	for _, o := range waiting {
		b.settle(ctx, o.ID)
	}
	return err
}

// onLow tells the owner that little is left, once for each crossing. The event's
// fields are not documented: what cannot be read goes to the admins as it came.
func (b *bot) onLow(ctx context.Context, event *webhookverify.Event) error {
	var low struct {
		PackageID string `json:"package_id"`
	}
	err := event.Decode(&low)
	p, known, getErr := get[pack](b.store, packages, low.PackageID)
	if getErr != nil {
		return getErr
	}
	if err != nil || !known {
		b.alarm(ctx, say("An event came that cannot be read here:\n<code>%v</code>", truncated(event.Body, 3000)))
		return nil
	}
	pkg, err := b.api.GetPackage(ctx, p.ID)
	if err != nil {
		return err // it comes again
	}
	// More GB make the total another one, and the next crossing a new one.
	if total := pkg.TotalGB.String(); p.Low != total {
		p.Low = total
		if err := b.store.put(packages, p.ID, p); err != nil {
			return err
		}
		owners, err := all(b.store, customers, func(c customer) bool { return c.UserID == p.UserID })
		for _, owner := range owners {
			b.tell(ctx, owner.Telegram, say("Package <code>%v</code> has %v of %v GB left.", p.ID, pkg.RemainingGB, pkg.TotalGB))
		}
		return err
	}
	return nil
}

func truncated(body []byte, most int) string {
	if len(body) > most {
		return string(body[:most]) + "…"
	}
	return string(body)
}
