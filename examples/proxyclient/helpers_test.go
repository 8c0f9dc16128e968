package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the transport that fetch clones trust httptest's certificate.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(nil)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	server.Close()
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	os.Exit(m.Run())
}

// login is the user and password that a proxy requires.
type login struct{ user, password string }

// credentialsBody returns the API's response for a package whose proxy is at address.
func credentialsBody(t *testing.T, address string, l login) []byte {
	t.Helper()
	endpoint := map[string]any{"host": "127.0.0.1", "port": 1, "connection_string": address + ":" + l.user + ":" + l.password}
	body, err := json.Marshal(map[string]any{"success": true, "data": map[string]any{
		"username": l.user, "password": "base", "http": endpoint, "socks5": endpoint,
		"targeting": map[string]any{"country": "TR", "city": nil},
	}})
	require.NoError(t, err)
	return body
}

// startAPI starts an API that only returns credentials, and makes the program use it
// as the live API.
func startAPI(t *testing.T, address string, l login) {
	t.Helper()
	body := credentialsBody(t, address, l)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "GET /packages/PKG-3F8A2C/credentials", r.Method+" "+r.URL.Path)
		_, _ = w.Write(body)
	}))
	t.Cleanup(api.Close)
	setEnv(t, "wx_live_example", api.URL)
}

func setEnv(t *testing.T, key, baseURL string) {
	t.Helper()
	t.Setenv("WHOZEX_API_KEY", key)
	t.Setenv("WHOZEX_BASE_URL", baseURL)
}

// startProxy starts a proxy that responds with status to requests with this login, and
// with a 407 to others. It counts the requests with this login.
func startProxy(t *testing.T, kind string, l login, status int) (address string, accepted *atomic.Int64) {
	t.Helper()
	accepted = new(atomic.Int64)
	start := startHTTPProxy
	if kind == "socks5" {
		start = startSOCKS5Proxy
	}
	address, stop, err := start(func(user, password string) int {
		if (login{user, password}) != l {
			return http.StatusProxyAuthRequired
		}
		accepted.Add(1)
		return status
	})
	require.NoError(t, err)
	t.Cleanup(stop)
	return address, accepted
}

// startSite starts a site with one page. It counts the requests.
func startSite(t *testing.T, scheme string, status int) (page string, visits *atomic.Int64) {
	t.Helper()
	visits = new(atomic.Int64)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visits.Add(1)
		assert.Empty(t, r.Header.Get("Proxy-Authorization"))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "the page")
	})
	start := httptest.NewServer
	if scheme == "https" {
		start = httptest.NewTLSServer
	}
	site := start(handler)
	t.Cleanup(site.Close)
	return site.URL, visits
}

// runProgram runs the program and checks that it prints no form of the password.
func runProgram(t *testing.T, l login, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(t.Context(), args, &out, &errOut)
	if l.password != "" {
		for _, form := range []string{
			l.password, url.QueryEscape(l.password), url.PathEscape(l.password), url.UserPassword("", l.password).String(),
			base64.StdEncoding.EncodeToString([]byte(l.user + ":" + l.password)), fmt.Sprintf("%q", l.password),
		} {
			assert.NotContains(t, out.String()+errOut.String(), form)
		}
	}
	assert.NotContains(t, out.String()+errOut.String(), "wx_live_")
	return code, out.String(), errOut.String()
}
