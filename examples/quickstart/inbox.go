package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

// inbox receives webhook events on loopback.
type inbox struct {
	listener net.Listener
	server   *http.Server
	events   chan *webhookverify.Event
}

// newInbox opens the port, because registering the webhook needs its address.
// Connections wait until serve is called with the secret.
func newInbox() (*inbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &inbox{listener: listener, events: make(chan *webhookverify.Event, 16)}, nil
}

func (i *inbox) url() string { return "http://" + i.listener.Addr().String() + "/webhooks" }

func (i *inbox) serve(secret string) error {
	verifier, err := webhookverify.New(secret, webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(time.Hour, 1000)))
	if err != nil {
		return err
	}
	i.server = &http.Server{
		Handler: verifier.Handler(func(ctx context.Context, event *webhookverify.Event) error {
			select {
			case i.events <- event:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
	}
	go func() { _ = i.server.Serve(i.listener) }()
	return nil
}

func (i *inbox) next(ctx context.Context) (*webhookverify.Event, error) {
	select {
	case event := <-i.events:
		return event, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (i *inbox) close(ctx context.Context) error { return i.server.Shutdown(ctx) }
