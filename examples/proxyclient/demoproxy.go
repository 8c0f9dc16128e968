package main

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/elazarl/goproxy"
	"github.com/things-go/go-socks5"
)

// allowFunc returns a proxy's status for a user and password. With 200 it forwards the
// request.
type allowFunc func(user, password string) (status int)

// startHTTPProxy starts a proxy for http pages and, with CONNECT, https pages.
func startHTTPProxy(allow allowFunc) (address string, stop func(), err error) {
	proxy := goproxy.NewProxyHttpServer()
	// The defaults of goproxy use the proxy of the environment.
	proxy.Tr, proxy.ConnectDial = &http.Transport{DisableKeepAlives: true}, nil
	refuse := func(r *http.Request) *http.Response {
		encoded := strings.TrimPrefix(r.Header.Get("Proxy-Authorization"), "Basic ")
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		user, password, _ := strings.Cut(string(decoded), ":")
		status := http.StatusProxyAuthRequired
		if err == nil {
			status = allow(user, password)
		}
		if status == http.StatusOK {
			return nil
		}
		return goproxy.NewResponse(r, goproxy.ContentTypeText, status, http.StatusText(status))
	}
	proxy.OnRequest().DoFunc(func(r *http.Request, _ *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		return r, refuse(r)
	})
	proxy.OnRequest().HandleConnectFunc(func(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		if ctx.Resp = refuse(ctx.Req); ctx.Resp != nil {
			return goproxy.RejectConnect, host
		}
		return goproxy.OkConnect, host
	})
	return listen((&http.Server{Handler: proxy, ReadHeaderTimeout: 5 * time.Second}).Serve)
}

// startSOCKS5Proxy starts a SOCKS5 proxy. SOCKS5 has no status codes, so any status
// except 200 fails the authentication.
func startSOCKS5Proxy(allow allowFunc) (address string, stop func(), err error) {
	return listen(socks5.NewServer(socks5.WithCredential(allow)).Serve)
}

// Valid implements [socks5.CredentialStore].
func (allow allowFunc) Valid(user, password, _ string) bool {
	return allow(user, password) == http.StatusOK
}
