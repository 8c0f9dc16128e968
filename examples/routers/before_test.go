package routers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/binding"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

// TestVerifier_Middleware tests middleware that reads, restores, bounds or decompresses
// the body before the verifier.
func TestVerifier_Middleware(t *testing.T) {
	created := `{"event":"package.created","data":{"package_id":"PKG-A1B2C3","gb":20,"cost":30.00}}`
	packed := gzipped(t, strings.NewReader(created))
	bomb := gzipped(t, io.LimitReader(zeros{}, 400<<20))
	for _, tt := range []struct {
		name      string
		mount     func(http.Handler) server
		body      string
		chunked   bool
		encoding  string
		signature string
		want      int
		reported  string
	}{
		{name: "one that reads and restores it", mount: restoring, body: created, signature: sign(created), want: 200},
		{name: "echo's BodyDump", mount: echoWith(middleware.BodyDump(func(echo.Context, []byte, []byte) {})), body: created, signature: sign(created), want: 200},
		{name: "echo's Decompress, compressed after signing", mount: echoWith(middleware.Decompress()), body: packed, encoding: "gzip", signature: sign(created), want: 200},
		{name: "echo's Decompress, signed after compressing", mount: echoWith(middleware.Decompress()), body: packed, encoding: "gzip", signature: sign(packed), want: 401, reported: "it was decompressed or replaced on the way"},
		{name: "echo's Decompress, forged bomb", mount: echoWith(middleware.Decompress()), body: bomb, encoding: "gzip", signature: sign("other"), want: 413, reported: "too large"},
		{name: "gin's ShouldBindBodyWith", mount: ginWith(func(c *gin.Context) { _ = c.ShouldBindBodyWith(new(any), binding.JSON) }), body: created, signature: sign(created), want: 500, reported: "the body was already read"},
		{name: "gin's GetRawData", mount: ginWith(func(c *gin.Context) { _, _ = c.GetRawData() }), body: created, signature: sign(created), want: 500, reported: "the body was already read"},
		{name: "http.MaxBytesHandler", mount: limited, body: created, signature: sign(created), want: 413, reported: "too large"},
		{name: "http.MaxBytesHandler, chunked", mount: limited, body: created, chunked: true, signature: sign(created), want: 413, reported: "too large"},
		{name: "chi's RequestSize", mount: chiLimited, body: created, signature: sign(created), want: 413, reported: "too large"},
		{name: "chi's RequestSize, chunked", mount: chiLimited, body: created, chunked: true, signature: sign(created), want: 413, reported: "too large"},
		{name: "fiber that streams", mount: streamingFiber, body: created, signature: sign(created), want: 200},
		{name: "fiber that streams, chunked", mount: streamingFiber, body: created, chunked: true, signature: sign(created), want: 200},
		{name: "fiber that streams, gzip", mount: streamingFiber, body: packed, encoding: "gzip", signature: sign(packed), want: 200},
		{name: "fiber that streams, forged bomb", mount: streamingFiber, body: bomb, encoding: "gzip", signature: sign("other"), want: 401, reported: "mismatch"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var reported error
			verifier, err := webhookverify.New(secret, webhookverify.WithErrorHandler(func(_ *http.Request, err error) { reported = err }))
			require.NoError(t, err)
			handled := 0
			url := serve(t, tt.mount(verifier.Handler(func(context.Context, *webhookverify.Event) error {
				handled++
				return nil
			})))
			req, err := http.NewRequest("POST", url+"/webhooks", strings.NewReader(tt.body))
			require.NoError(t, err)
			if tt.chunked {
				req.ContentLength = -1
			}
			req.Header.Set("Content-Type", "application/json")
			if tt.encoding != "" {
				req.Header.Set("Content-Encoding", tt.encoding)
			}
			req.Header.Set(webhookverify.SignatureHeader, tt.signature)
			assert.Equal(t, tt.want, send(t, req))
			assert.Equal(t, tt.want == http.StatusOK, handled == 1)
			if tt.reported == "" {
				assert.NoError(t, reported)
				return
			}
			assert.ErrorContains(t, reported, tt.reported)
		})
	}
}

func restoring(next http.Handler) server {
	return &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})}
}

func limited(next http.Handler) server {
	return &http.Server{Handler: http.MaxBytesHandler(next, 20)}
}

func chiLimited(next http.Handler) server {
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestSize(20))
	r.Post("/webhooks", next.ServeHTTP)
	return &http.Server{Handler: r}
}

func echoWith(before echo.MiddlewareFunc) func(http.Handler) server {
	return func(next http.Handler) server {
		e := echo.New()
		e.Use(before)
		e.POST("/webhooks", echo.WrapHandler(next))
		return &http.Server{Handler: e}
	}
}

func ginWith(before gin.HandlerFunc) func(http.Handler) server {
	return func(next http.Handler) server {
		gin.SetMode(gin.TestMode)
		r := gin.New()
		r.POST("/webhooks", before, gin.WrapH(next))
		return &http.Server{Handler: r}
	}
}

func streamingFiber(next http.Handler) server {
	app := fiberApp{fiber.New(fiber.Config{DisableStartupMessage: true, StreamRequestBody: true})}
	app.Post("/webhooks", adaptor.HTTPHandler(next))
	return app
}
