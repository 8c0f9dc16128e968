package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

const secret = "wxsec_test"

func TestRouter(t *testing.T) {
	gin.SetMode(gin.TestMode)
	var log bytes.Buffer
	router, err := newRouter(slog.New(slog.NewTextHandler(&log, nil)), secret)
	require.NoError(t, err)
	created := whozextest.NewEventRequest(secret, whozex.EventPackageCreated, whozex.PackageCreated{PackageID: "PKG-1", UserID: "u1"})
	again := created.Clone(t.Context())
	again.Body, err = created.GetBody()
	require.NoError(t, err)
	for _, tt := range []struct {
		name    string
		request *http.Request
		status  int
		log     string
	}{
		{name: "an event", request: created, status: 200, log: `msg="package created" package=PKG-1 user=u1`},
		{name: "the same again", request: again, status: 200},
		{name: "of another name", request: whozextest.NewEventRequest(secret, "new.event", map[string]int{"a": 1}), status: 200},
		{name: "forged", request: whozextest.NewEventRequest("wxsec_other", whozex.EventPackageCreated, whozex.PackageCreated{PackageID: "PKG-1"}),
			status: 401, log: "msg=refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			w := httptest.NewRecorder()
			router.ServeHTTP(w, tt.request)
			assert.Equal(t, tt.status, w.Code)
			if tt.log == "" {
				assert.NotContains(t, log.String(), "package created")
			}
			assert.Contains(t, log.String(), tt.log)
		})
	}
}

func TestDemo(t *testing.T) {
	var log bytes.Buffer
	require.NoError(t, run(slog.New(slog.NewTextHandler(&log, nil)), ""))
	assert.Equal(t, []bool{true, true}, []bool{strings.Contains(log.String(), "PKG-A1B2C3"), strings.Contains(log.String(), "status=200")})
	require.Error(t, run(slog.New(slog.DiscardHandler), `"wxsec_quoted"`), "a secret in quotes")
}
