// Command gin receives the events of the Whozex Reseller API in a program that
// uses gin. It needs WHOZEX_WEBHOOK_SECRET. Without it, it sends itself an event:
//
//	go -C examples run ./gin
package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

func main() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, nil))
	gin.SetMode(gin.ReleaseMode)
	if err := run(logger, os.Getenv("WHOZEX_WEBHOOK_SECRET")); err != nil {
		logger.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func run(logger *slog.Logger, secret string) error {
	demo := secret == ""
	if demo {
		secret = "wxsec_example"
	}
	router, err := newRouter(logger, secret)
	if err != nil {
		return err
	}
	if demo {
		response := httptest.NewRecorder()
		router.ServeHTTP(response, whozextest.NewEventRequest(secret, whozex.EventPackageCreated, whozex.PackageCreated{PackageID: "PKG-A1B2C3"}))
		logger.Info("answered", "status", response.Code)
		return nil
	}
	server := &http.Server{Addr: ":8080", Handler: router, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// newRouter mounts the webhook before any middleware that reads bodies.
func newRouter(logger *slog.Logger, secret string) (*gin.Engine, error) {
	verifier, err := webhookverify.New(secret,
		webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(24*time.Hour, 100_000)),
		webhookverify.WithErrorHandler(func(_ *http.Request, err error) { logger.Warn("refused", "error", err) }))
	if err != nil {
		return nil, err
	}
	var events webhookverify.Mux
	events.On(whozex.EventPackageCreated, webhookverify.Decoded(
		func(_ context.Context, _ *webhookverify.Event, created whozex.PackageCreated) error {
			logger.Info("package created", "package", created.PackageID, "user", created.UserID)
			return nil
		}))
	events.Default(webhookverify.Ignore)
	router := gin.New()
	router.Use(gin.Recovery())
	router.POST("/webhooks", gin.WrapH(verifier.Handler(events.Handle)))
	return router, nil
}
