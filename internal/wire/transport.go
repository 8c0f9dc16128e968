// Package wire sends the requests of single attempts. It keeps net/http and middleware from
// sending the request of a mutating call twice, and proves by a trace of connections when
// nothing was sent. It knows nothing of calls, retries or responses.
package wire

import (
	"context"
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hashicorp/go-cleanhttp"
)

// writeIdleTimeout closes idle connections for mutating calls. It is far below the idle
// timeouts of servers, so that none closes a connection just as a call is written to it.
const writeIdleTimeout = 500 * time.Millisecond

const idlePerHost = 128

// pipeline is the middleware with the sender beneath it.
type pipeline struct {
	sender *sender
	chain  http.RoundTripper // nil without middleware
}

// Config is what a [Transport] needs to know of a client.
type Config struct {
	Base       *url.URL
	Client     *http.Client // the caller's, nil for none
	Middleware []func(http.RoundTripper) http.RoundTripper
	KeyHeader  string
	UserAgent  string
}

// Transport sends attempts: reads and mutating calls on pools of their own.
type Transport struct {
	reads, writes pipeline
	own           []*http.Transport // not the caller's
}

// New returns a transport. It copies an *http.Transport of the caller for mutating calls.
func New(c Config) *Transport {
	t := new(Transport)
	var base http.RoundTripper
	switch {
	case c.Client == nil:
		pooled := cleanhttp.DefaultPooledTransport()
		pooled.MaxIdleConns, pooled.MaxIdleConnsPerHost = idlePerHost, idlePerHost
		base, t.own = pooled, append(t.own, pooled)
	case c.Client.Transport == nil:
		base = http.DefaultTransport
	default:
		base = c.Client.Transport
	}
	t.reads = newPipeline(c, sender{base: base})
	t.writes = t.reads
	if pooled, ok := base.(*http.Transport); ok {
		short, http1 := writeTransport(pooled)
		t.writes = newPipeline(c, sender{base: short, owned: true, http1: http1})
		t.own = append(t.own, short)
	}
	return t
}

// CloseIdle closes the idle connections of the transports that are not the caller's.
func (t *Transport) CloseIdle() {
	for _, own := range t.own {
		own.CloseIdleConnections()
	}
}

// Send sends req as the request of a, with ctx from [Attempt.Start]. With an error, unsent
// reports whether it is certain that nothing was sent. The body is closed at the end of
// the attempt.
func (t *Transport) Send(ctx context.Context, a *Attempt, req *http.Request) (resp *http.Response, unsent bool, err error) {
	by := &t.reads
	if a.Mutating {
		by = &t.writes
	}
	resp, err = by.roundTrip(ctx, a, req)
	if err == nil && (resp == nil || resp.StatusCode == 0) {
		err = errNoResponse
	}
	if err != nil {
		return nil, a.end(by.sender.owned), err
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	a.responded(resp.Body)
	return resp, false, nil
}

func newPipeline(c Config, to sender) pipeline {
	to.scheme, to.host, to.keyHeader = c.Base.Scheme, c.Base.Host, c.KeyHeader
	to.userAgent = []string{c.UserAgent}
	pooled, _ := to.base.(*http.Transport)
	unencrypted := pooled != nil && pooled.Protocols != nil && pooled.Protocols.UnencryptedHTTP2()
	to.plaintext = to.scheme == "http" && !unencrypted
	p := pipeline{sender: &to}
	for i := len(c.Middleware) - 1; i >= 0; i-- {
		if p.chain == nil {
			p.chain = p.sender
		}
		p.chain = c.Middleware[i](p.chain)
	}
	return p
}

var jsonType = []string{"application/json"}

func (p *pipeline) roundTrip(ctx context.Context, a *Attempt, req *http.Request) (*http.Response, error) {
	// Each attempt gets new headers: the transport may still read those of an attempt
	// that timed out.
	header := make(http.Header, len(req.Header)+4)
	if len(req.Header) > 0 {
		maps.Copy(header, req.Header)
	}
	header["User-Agent"], header["Accept"] = p.sender.userAgent, jsonType
	if a.Payload != nil {
		header["Content-Type"] = jsonType
	}
	if p.chain == nil {
		return p.sender.send(ctx, req, &a.out, header, a.body())
	}
	// Middleware may change its request, and the next attempt needs the original.
	out := req.Clone(ctx)
	out.Header, out.Body = header, a.body()
	return p.chain.RoundTrip(out)
}

// writeTransport returns a copy of pooled for mutating calls, whose connections are its
// own and are closed soon, and whether it speaks HTTP/1.1 alone. A transport without
// HTTP/1.1, or one that dials TLS by the caller's function, which may negotiate HTTP/2,
// keeps its protocols.
func writeTransport(pooled *http.Transport) (short *http.Transport, http1 bool) {
	short = pooled.Clone()
	if short.TLSClientConfig != nil {
		// Clone shares the array, which net/http appends to.
		short.TLSClientConfig.NextProtos = slices.Clone(short.TLSClientConfig.NextProtos)
	}
	if short.IdleConnTimeout == 0 || short.IdleConnTimeout > writeIdleTimeout {
		short.IdleConnTimeout = writeIdleTimeout
	}
	//lint:ignore SA1019 DialTLS is deprecated and still used
	dialsTLS := short.DialTLS != nil || short.DialTLSContext != nil
	if dialsTLS || short.Protocols != nil && !short.Protocols.HTTP1() {
		// x/net's http2.ConfigureTransport leaves a function here that holds the
		// pool of the original.
		if short.TLSNextProto["h2"] != nil {
			short.TLSNextProto, short.ForceAttemptHTTP2 = nil, true
		}
		return short, false
	}
	short.Protocols = new(http.Protocols)
	short.Protocols.SetHTTP1(true)
	short.ForceAttemptHTTP2 = false
	short.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	if short.TLSClientConfig != nil {
		short.TLSClientConfig.NextProtos = slices.DeleteFunc(
			short.TLSClientConfig.NextProtos, func(proto string) bool { return proto == "h2" })
	}
	return short, true
}
