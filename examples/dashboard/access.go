package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
)

// access configures who may see the pages. Without token and trustHeader, only clients
// on this machine may.
type access struct {
	token       string // the password of HTTP Basic, or a Bearer token
	trustHeader string // the header in which a proxy with a login names the user
}

func (a access) open() bool { return a.token == "" && a.trustHeader == "" }

// check refuses a configuration that lets everyone in.
func (a access) check(host string) error {
	switch {
	case a.token != "" && len(a.token) < 16:
		return errors.New("-token: shorter than 16 characters")
	case a.open() && !loopback(host):
		return errors.New("-addr is not loopback and the pages have no login: set -trust-header or -token")
	}
	return nil
}

type personKey struct{}

// person returns the user that the proxy names; empty without a proxy.
func person(ctx context.Context) string {
	name, _ := ctx.Value(personKey{}).(string)
	return name
}

// guard calls next only for requests with access.
func (a access) guard(next http.Handler) http.Handler {
	if a.open() {
		return onlyLoopback(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.token != "" && !a.validToken(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="Whozex dashboard", charset="UTF-8"`)
			http.Error(w, "The password is the dashboard's token.", http.StatusUnauthorized)
			return
		}
		if a.trustHeader != "" {
			name := strings.TrimSpace(r.Header.Get(a.trustHeader))
			if name == "" || len(r.Header.Values(a.trustHeader)) > 1 {
				http.Error(w, "Use this dashboard through its proxy, which names the user.", http.StatusUnauthorized)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), personKey{}, name))
		}
		next.ServeHTTP(w, r)
	})
}

func (a access) validToken(r *http.Request) bool {
	_, token, ok := r.BasicAuth()
	if !ok {
		token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	// Hashes have equal lengths, so the comparison does not leak the token's length.
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// healthz is for a supervisor that restarts the dashboard. It does not check the API,
// since a restart would not help there.
func (d *dashboard) healthz(w http.ResponseWriter, r *http.Request) {
	if err := d.store.db.PingContext(r.Context()); err != nil {
		http.Error(w, "the store cannot be read", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
