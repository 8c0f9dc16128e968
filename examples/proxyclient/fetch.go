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
	maxPage      = 1 << 20
)

// refusedError is a proxy that did not want to fetch the page.
type refusedError struct {
	proxy  string
	status int
	// orSite is set when the page's own server may have answered so.
	orSite bool
}

func (e *refusedError) Error() string {
	who, why := "the proxy "+e.proxy, "it may be down, or not reach the page"
	if e.orSite {
		who += ", or the page's own server,"
	}
	switch e.status {
	case http.StatusProxyAuthRequired:
		why = "user or password is wrong, or the package has ended"
	case http.StatusPaymentRequired:
		why = "the package may have no GB left"
	case http.StatusPreconditionFailed:
		why = "the targeting may not be served: try another country or city"
	}
	return fmt.Sprintf("%s refused with %d %s: %s", who, e.status, http.StatusText(e.status), why)
}

// newTransport clones the default one, whose time-outs and HTTP/2 a bare
// &http.Transport{} would not have.
func newTransport(proxy *url.URL) *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxy)
	// For https the refusal is a response to CONNECT. Without this hook all that is
	// left of it is the text after the status.
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return &refusedError{proxy: proxy.Redacted(), status: resp.StatusCode}
		}
		return nil
	}
	return transport
}

func fetch(ctx context.Context, proxy *url.URL, page string, out io.Writer) error {
	transport := newTransport(proxy)
	// Kept-alive connections keep the exit address. A program that wants a new one
	// for each request sets DisableKeepAlives.
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
	if err := refused(resp, proxy); err != nil {
		return fmt.Errorf("fetching %s: %w", resp.Request.URL.Redacted(), err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("reading the page: %w", err)
	}
	_, err = fmt.Fprintf(out, "page      %s\n%s\n", resp.Status, body)
	return err
}

// refused finds an HTTP proxy's refusal of an http page, which is an ordinary
// answer. 407 is the proxy's alone; 402 and 412 the page's server may give too.
func refused(resp *http.Response, proxy *url.URL) error {
	if proxy.Scheme != "http" || resp.Request.URL.Scheme != "http" {
		return nil
	}
	switch resp.StatusCode {
	case http.StatusProxyAuthRequired:
		return &refusedError{proxy: proxy.Redacted(), status: resp.StatusCode}
	case http.StatusPaymentRequired, http.StatusPreconditionFailed:
		return &refusedError{proxy: proxy.Redacted(), status: resp.StatusCode, orSite: true}
	}
	return nil
}
