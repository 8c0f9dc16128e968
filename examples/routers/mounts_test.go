package routers

import (
	"context"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/labstack/echo/v4"

	"github.com/whozex/whozex-go/webhookverify"
)

type handler func(context.Context, *webhookverify.Event) error

// server serves a router.
type server interface{ Serve(net.Listener) error }

// router mounts a verifier at /webhooks, and at /consumed after a handler that has read
// the body.
type router struct {
	name  string
	mount func(*webhookverify.Verifier, handler) server
	// keepsBody means that the framework buffers the body, so that it can be read again.
	keepsBody bool
}

var routers = []router{
	{name: "net/http", mount: func(v *webhookverify.Verifier, handle handler) server {
		mux := http.NewServeMux()
		mux.Handle("/webhooks", v.Handler(handle))
		mux.HandleFunc("/consumed", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			v.Handler(handle).ServeHTTP(w, r)
		})
		return &http.Server{Handler: mux}
	}},
	{name: "chi", mount: func(v *webhookverify.Verifier, handle handler) server {
		r := chi.NewRouter()
		r.Post("/webhooks", v.Handler(handle).ServeHTTP)
		r.Post("/consumed", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			_ = r.FormValue("event")
			v.Handler(handle).ServeHTTP(w, r)
		})
		return &http.Server{Handler: r}
	}},
	{name: "gin", mount: func(v *webhookverify.Verifier, handle handler) server {
		gin.SetMode(gin.TestMode)
		r := gin.New()
		r.POST("/webhooks", gin.WrapH(v.Handler(handle)))
		r.POST("/consumed", func(c *gin.Context) { _ = c.ShouldBindJSON(new(any)) }, gin.WrapH(v.Handler(handle)))
		return &http.Server{Handler: r}
	}},
	{name: "echo", mount: func(v *webhookverify.Verifier, handle handler) server {
		e := echo.New()
		e.POST("/webhooks", echo.WrapHandler(v.Handler(handle)))
		e.POST("/consumed", func(c echo.Context) error {
			_ = c.Bind(new(any))
			return echo.WrapHandler(v.Handler(handle))(c)
		})
		return &http.Server{Handler: e}
	}},
	{name: "fiber with adaptor", keepsBody: true, mount: func(v *webhookverify.Verifier, handle handler) server {
		app := newFiber()
		app.Post("/webhooks", adaptor.HTTPHandler(v.Handler(handle)))
		app.Post("/consumed", bindFiber, adaptor.HTTPHandler(v.Handler(handle)))
		return app
	}},
	{name: "fiber with BodyRaw", keepsBody: true, mount: func(v *webhookverify.Verifier, handle handler) server {
		receive := func(c *fiber.Ctx) error {
			// Body would decompress the body before it is verified.
			event, err := v.ParseEvent(c.BodyRaw(), c.Get(webhookverify.SignatureHeader))
			if err == nil {
				err = v.Once(c.UserContext(), event, handle)
			}
			return c.SendStatus(webhookverify.Status(err))
		}
		app := newFiber()
		app.Post("/webhooks", receive)
		app.Post("/consumed", bindFiber, receive)
		return app
	}},
}

// fiberApp gives a fiber.App the Serve method of http.Server.
type fiberApp struct{ *fiber.App }

func newFiber() fiberApp {
	return fiberApp{fiber.New(fiber.Config{DisableStartupMessage: true})}
}

func (a fiberApp) Serve(l net.Listener) error { return a.Listener(l) }

func (a fiberApp) Close() error { return a.Shutdown() }

func bindFiber(c *fiber.Ctx) error {
	_ = c.BodyParser(new(any))
	return c.Next()
}
