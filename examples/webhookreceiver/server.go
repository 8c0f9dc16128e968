package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

const (
	// path is the path of the webhook.
	path = "/webhooks"
	// shutdownTimeout bounds how long deliveries in progress may take to finish. It is
	// longer than ReadTimeout.
	shutdownTimeout = 15 * time.Second
)

// newServer sets every timeout, so that a slow sender cannot hold a connection.
func newServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// handler responds to each verified event once it is in the inbox.
func (r *receiver) handler(secret string) (http.Handler, error) {
	verifier, err := webhookverify.New(secret,
		// Do not log header and body: the log must not contain signatures.
		webhookverify.WithErrorHandler(func(req *http.Request, err error) {
			r.logger.Warn("delivery refused", "from", req.RemoteAddr, "error", err)
		}))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(path, verifier.Handler(r.inbox.Receive))
	return mux, nil
}

// serve receives events and writes lines until ctx ends, and then finishes those in
// progress. The requests' contexts are not derived from ctx, so its end does not cancel
// them.
func (r *receiver) serve(ctx context.Context, listener net.Listener, secret string) error {
	defer func() { _ = listener.Close() }()
	handler, err := r.handler(secret)
	if err != nil {
		return err
	}
	server := newServer(handler, r.logger)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { r.inbox.Run(working, r.lines.write) })
	defer workers.Wait()
	defer stop()
	r.logger.Info("listening", "url", "http://"+listener.Addr().String()+path)
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	r.logger.Info("shutting down after deliveries in progress")
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(timeout); err != nil {
		// The remaining senders get no 200 and redeliver.
		return errors.Join(fmt.Errorf("deliveries did not finish in %s: %w", shutdownTimeout, err), server.Close())
	}
	return nil
}
