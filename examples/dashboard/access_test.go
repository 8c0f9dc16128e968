package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const password = "a token of the tests"

func TestParse_LoginBeyondLoopback(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	for _, tt := range []struct {
		name string
		args []string
		ok   bool
	}{
		{name: "no login", args: []string{"-addr", "0.0.0.0:80"}},
		{name: "token", args: []string{"-addr", "0.0.0.0:80", "-token", password}, ok: true},
		{name: "proxy", args: []string{"-addr", ":80", "-trust-header", "X-Forwarded-User"}, ok: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.args, io.Discard)
			assert.Equal(t, tt.ok, err == nil, err)
		})
	}
}

func TestAccess(t *testing.T) {
	header := func(pairs ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Header.Add(pairs[i], pairs[i+1])
			}
		}
	}
	basic := func(r *http.Request) { r.SetBasicAuth("anyone", password) }
	for _, tt := range []struct {
		name   string
		access access
		change func(*http.Request)
		want   int
	}{
		{name: "token missing", access: access{token: password}, change: header(), want: 401},
		{name: "token wrong", access: access{token: password}, change: header("Authorization", "Bearer "+password+"x"), want: 401},
		{name: "token as Bearer", access: access{token: password}, change: header("Authorization", "Bearer "+password), want: 200},
		{name: "token as password", access: access{token: password}, change: basic, want: 200},
		{name: "header missing", access: access{trustHeader: "X-Forwarded-User"}, change: header(), want: 401},
		{name: "header empty", access: access{trustHeader: "X-Forwarded-User"}, change: header("X-Forwarded-User", " "), want: 401},
		{name: "header twice", access: access{trustHeader: "X-Forwarded-User"}, change: header("X-Forwarded-User", "ann", "X-Forwarded-User", "eve"), want: 401},
		{name: "header", access: access{trustHeader: "X-Forwarded-User"}, change: header("X-Forwarded-User", "ann"), want: 200},
		{name: "header not trusted", access: access{}, change: header("X-Forwarded-User", "ann"), want: 200},
		{name: "both, one missing", access: access{token: password, trustHeader: "X-Forwarded-User"}, change: header("X-Forwarded-User", "ann"), want: 401},
		{name: "both", access: access{token: password, trustHeader: "X-Forwarded-User"}, change: func(r *http.Request) { basic(r); header("X-Forwarded-User", "ann")(r) }, want: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, home, _ := launchOn(t, config{access: tt.access})
			v := newVisitor(t, home)
			elsewhere := func(r *http.Request) {
				tt.change(r)
				if !tt.access.open() {
					r.Host = "dashboard.example"
				}
			}
			for _, path := range []string{"/", "/packages", "/metrics", "/assets/app.js", "/nothing"} {
				res, body, err := v.send(t.Context(), http.MethodGet, path, nil, elsewhere)
				require.NoError(t, err)
				if want := tt.want; path == "/nothing" && want == 200 {
					assert.Equal(t, 404, res.StatusCode)
				} else {
					assert.Equal(t, want, res.StatusCode, path)
				}
				if path == "/" && tt.want == 200 {
					assert.Equal(t, tt.access.trustHeader != "", strings.Contains(words(body), "· ann<"), path)
				}
			}
			res, body, err := v.send(t.Context(), http.MethodGet, "/healthz", nil)
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, res.StatusCode)
			assert.Equal(t, "ok\n", body)
		})
	}
}

func TestHealthz(t *testing.T) {
	d, home, api := launchOn(t, config{})
	v := newVisitor(t, home)
	api.Close()
	status, _ := v.get("/healthz")
	assert.Equal(t, http.StatusOK, status, "a restart does not repair the API")
	require.NoError(t, d.store.db.Close())
	status, _ = v.get("/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
}
