package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

const (
	// path is where events are taken.
	path = "/webhooks"
	// shutdownTimeout bounds how long the deliveries that are being handled may
	// take to finish. Longer than a request may take to arrive.
	shutdownTimeout = 15 * time.Second
)

// newServer bounds everything that a sender could draw out.
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

// newHandler writes each genuine event to out once, as far as the store remembers.
func newHandler(secret string, store webhookverify.ReplayStore, out *lines, logger *slog.Logger) (http.Handler, error) {
	verifier, err := webhookverify.New(secret,
		webhookverify.WithReplayStore(store),
		// Neither header nor body: a log is no place for signatures.
		webhookverify.WithErrorHandler(func(r *http.Request, err error) {
			logger.Warn("delivery refused", "from", r.RemoteAddr, "error", err)
		}))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(path, verifier.Handler(out.write))
	return mux, nil
}

// serve takes events until ctx ends and then finishes those begun. The requests'
// contexts do not come from ctx: its end must not reach into the handling.
func serve(ctx context.Context, listener net.Listener, secret string, store webhookverify.ReplayStore, stdout io.Writer, logger *slog.Logger) error {
	defer func() { _ = listener.Close() }()
	out := &lines{to: stdout}
	handler, err := newHandler(secret, store, out, logger)
	if err != nil {
		return err
	}
	server := newServer(handler, logger)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	logger.Info("listening", "url", "http://"+listener.Addr().String()+path)
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	logger.Info("shutting down, deliveries finish first")
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(timeout); err != nil {
		// The senders of what is left get no 200. There is no waiting for a stdout
		// that takes nothing.
		return errors.Join(fmt.Errorf("deliveries did not finish in %s: %w", shutdownTimeout, err), server.Close())
	}
	out.close()
	return nil
}
