package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
)

// access says who may see the pages. With neither it is whoever is at this machine.
type access struct {
	token       string // of HTTP Basic, as the password, or of Bearer
	trustHeader string // names the user, set by a proxy that logs them in
}

func (a access) open() bool { return a.token == "" && a.trustHeader == "" }

// check refuses what would let everyone in.
func (a access) check(host string) error {
	switch {
	case a.token != "" && len(a.token) < 16:
		return errors.New("-token: shorter than 16 characters")
	case a.open() && !loopback(host):
		return errors.New("-addr is not loopback and the page has no login: set -trust-header or -token")
	}
	return nil
}

type personKey struct{}

// person is who the proxy says is looking; empty without a proxy.
func person(ctx context.Context) string {
	name, _ := ctx.Value(personKey{}).(string)
	return name
}

// guard lets next be reached by those who may see it.
func (a access) guard(next http.Handler) http.Handler {
	if a.open() {
		return onlyLoopback(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.token != "" && !a.knows(r) {
			w.Header().Set("WWW-Authenticate", `Basic realm="Whozex dashboard", charset="UTF-8"`)
			http.Error(w, "The password is the dashboard's token.", http.StatusUnauthorized)
			return
		}
		if a.trustHeader != "" {
			name := strings.TrimSpace(r.Header.Get(a.trustHeader))
			if name == "" || len(r.Header.Values(a.trustHeader)) > 1 {
				http.Error(w, "This dashboard is reached through its proxy, which says who you are.", http.StatusUnauthorized)
				return
			}
			r = r.WithContext(context.WithValue(r.Context(), personKey{}, name))
		}
		next.ServeHTTP(w, r)
	})
}

func (a access) knows(r *http.Request) bool {
	_, token, ok := r.BasicAuth()
	if !ok {
		token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	// Sums are of one length, which the comparison would otherwise give away.
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(a.token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// healthz is for whoever restarts the dashboard. That the API is down is no reason to.
func (d *dashboard) healthz(w http.ResponseWriter, r *http.Request) {
	if err := d.store.db.PingContext(r.Context()); err != nil {
		http.Error(w, "the store cannot be read", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
