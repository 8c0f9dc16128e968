package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	fetchTimeout = 30 * time.Second
	maxPageSize  = 1 << 20
)

// proxyError means that the proxy refused to fetch the page.
type proxyError struct {
	proxy  string
	status int
	// maybeSite means that the status may come from the page's server.
	maybeSite bool
}

func (e *proxyError) Error() string {
	source, hint := "the proxy "+e.proxy, "it may be down, or cannot reach the page"
	if e.maybeSite {
		source += ", or the page's server,"
	}
	switch e.status {
	case http.StatusProxyAuthRequired:
		hint = "the user or password is wrong, or the package has expired"
	case http.StatusPaymentRequired:
		hint = "the package may have no GB left"
	case http.StatusPreconditionFailed:
		hint = "the targeting may not be available: try another country or city"
	}
	return fmt.Sprintf("%s refused with %d %s: %s", source, e.status, http.StatusText(e.status), hint)
}

// newTransport clones the default transport, because an empty &http.Transport{} has no
// timeouts and no HTTP/2.
func newTransport(proxy *url.URL) *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxy)
	// For https pages the refusal is a response to CONNECT. Without this hook the
	// status code is lost.
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return &proxyError{proxy: proxy.Redacted(), status: resp.StatusCode}
		}
		return nil
	}
	return transport
}

func fetch(ctx context.Context, proxy *url.URL, page string, out io.Writer) error {
	transport := newTransport(proxy)
	// A kept-alive connection keeps its exit address. Set DisableKeepAlives for a new
	// address in each request.
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport, Timeout: fetchTimeout}).Do(req)
	if err != nil {
		return fmt.Errorf("fetching through %s: %w", proxy.Redacted(), err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := checkRefused(resp, proxy); err != nil {
		return fmt.Errorf("fetching %s: %w", resp.Request.URL.Redacted(), err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPageSize))
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	_, err = fmt.Fprintf(out, "page      %s\n%s\n", resp.Status, body)
	return err
}

// checkRefused returns an error if an HTTP proxy refused to fetch an http page, which is
// an ordinary response. Only the proxy sends a 407; a 402 or 412 may come from the
// page's server.
func checkRefused(resp *http.Response, proxy *url.URL) error {
	if proxy.Scheme != "http" || resp.Request.URL.Scheme != "http" {
		return nil
	}
	switch resp.StatusCode {
	case http.StatusProxyAuthRequired:
		return &proxyError{proxy: proxy.Redacted(), status: resp.StatusCode}
	case http.StatusPaymentRequired, http.StatusPreconditionFailed:
		return &proxyError{proxy: proxy.Redacted(), status: resp.StatusCode, maybeSite: true}
	}
	return nil
}
