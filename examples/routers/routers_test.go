// Package routers shows a verifier behind the routers that people use.
package routers

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

const secret = "wxsec_example"

type handler func(context.Context, *webhookverify.Event) error

// routers mount a verifier at /webhooks and make a request of it.
var routers = map[string]func(*webhookverify.Verifier, handler) func(*http.Request) (*http.Response, error){
	"net/http": func(v *webhookverify.Verifier, handle handler) func(*http.Request) (*http.Response, error) {
		r := http.NewServeMux()
		r.Handle("/webhooks", v.Handler(handle))
		return record(r)
	},
	"chi": func(v *webhookverify.Verifier, handle handler) func(*http.Request) (*http.Response, error) {
		r := chi.NewRouter()
		r.Post("/webhooks", v.Handler(handle).ServeHTTP)
		return record(r)
	},
	"gin": func(v *webhookverify.Verifier, handle handler) func(*http.Request) (*http.Response, error) {
		gin.SetMode(gin.TestMode)
		r := gin.New()
		r.POST("/webhooks", gin.WrapH(v.Handler(handle)))
		return record(r)
	},
	"echo": func(v *webhookverify.Verifier, handle handler) func(*http.Request) (*http.Response, error) {
		e := echo.New()
		e.POST("/webhooks", echo.WrapHandler(v.Handler(handle)))
		return record(e)
	},
	// fiber's requests are its own: the raw bytes go to Verify.
	"fiber": func(v *webhookverify.Verifier, handle handler) func(*http.Request) (*http.Response, error) {
		app := fiber.New()
		app.Post("/webhooks", func(c *fiber.Ctx) error {
			if err := v.Verify(c.Body(), c.Get(webhookverify.SignatureHeader)); err != nil {
				return c.SendStatus(fiber.StatusUnauthorized)
			}
			var event struct {
				Event string `json:"event"`
			}
			if err := c.BodyParser(&event); err != nil {
				return c.SendStatus(fiber.StatusBadRequest)
			}
			if err := handle(c.Context(), &webhookverify.Event{Name: event.Event}); err != nil {
				return c.SendStatus(fiber.StatusInternalServerError)
			}
			return c.SendStatus(fiber.StatusOK)
		})
		return func(r *http.Request) (*http.Response, error) { return app.Test(r, -1) }
	},
}

func record(h http.Handler) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	}
}

func TestAVerifierFitsBehindEveryRouter(t *testing.T) {
	body := `{"event":"package.created","data":{"package_id":"PKG-A1B2C3","gb":20,"cost":30.00},"timestamp":"2025-01-01T12:00:00.000Z"}`
	other := `{"event":"balance.added","data":{}}`
	for name, mount := range routers {
		t.Run(name, func(t *testing.T) {
			verifier, err := webhookverify.New(secret)
			require.NoError(t, err)
			var handled []string
			send := mount(verifier, func(_ context.Context, event *webhookverify.Event) error {
				handled = append(handled, event.Name)
				if event.Name == whozex.EventBalanceAdded {
					return errors.New("no")
				}
				return nil
			})
			for _, tt := range []struct {
				name, body, signature string
				want                  int
			}{
				{"genuine", body, webhookverify.Sign([]byte(body), secret), 200},
				{"forged", body, webhookverify.Sign([]byte(body), "other"), 401},
				{"changed", body + " ", webhookverify.Sign([]byte(body), secret), 401},
				{"handler fails", other, webhookverify.Sign([]byte(other), secret), 500},
			} {
				r := httptest.NewRequest("POST", "/webhooks", strings.NewReader(tt.body))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set(webhookverify.SignatureHeader, tt.signature)
				resp, err := send(r)
				require.NoError(t, err)
				assert.Equal(t, tt.want, resp.StatusCode, tt.name)
				require.NoError(t, resp.Body.Close())
			}
			assert.Equal(t, []string{whozex.EventPackageCreated, whozex.EventBalanceAdded}, handled)
		})
	}
}
