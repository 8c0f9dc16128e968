package whozex

import (
	"context"
	"crypto/tls"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/hashicorp/go-cleanhttp"
)

// writeIdleTimeout closes idle connections for mutating calls. It is far below the idle
// time-outs of servers, so that none closes a connection just as a call is written to it.
const writeIdleTimeout = 500 * time.Millisecond

const idlePerHost = 128

// pipeline is the middleware with the sender beneath it.
type pipeline struct {
	sender *sender
	chain  http.RoundTripper // nil without middleware
}

// newPipelines returns the pipeline of reads, that of mutating calls, and the transports
// that belong to the client.
func newPipelines(s *settings, keys *keyring) (reads, writes pipeline, own []*http.Transport) {
	var base http.RoundTripper
	switch {
	case s.httpClient == nil:
		pooled := cleanhttp.DefaultPooledTransport()
		pooled.MaxIdleConns, pooled.MaxIdleConnsPerHost = idlePerHost, idlePerHost
		base, own = pooled, append(own, pooled)
	case s.httpClient.Transport == nil:
		base = http.DefaultTransport
	default:
		base = s.httpClient.Transport
	}
	reads = newPipeline(s, keys, sender{base: base})
	pooled, ok := base.(*http.Transport)
	if !ok {
		return reads, reads, own
	}
	short, http1 := writeTransport(pooled)
	return reads, newPipeline(s, keys, sender{base: short, owned: true, http1: http1}), append(own, short)
}

func newPipeline(s *settings, keys *keyring, to sender) pipeline {
	to.scheme, to.host, to.keyHeader = s.base.Scheme, s.base.Host, keys.name
	to.userAgent = []string{s.userAgent}
	pooled, _ := to.base.(*http.Transport)
	unencrypted := pooled != nil && pooled.Protocols != nil && pooled.Protocols.UnencryptedHTTP2()
	to.plaintext = to.scheme == "http" && !unencrypted
	p := pipeline{sender: &to}
	for _, wrap := range slices.Backward(s.middleware) {
		if p.chain == nil {
			p.chain = p.sender
		}
		p.chain = wrap(p.chain)
	}
	return p
}

func (r *pipeline) roundTrip(ctx context.Context, a *attempt, req *http.Request) (*http.Response, error) {
	// Each attempt gets new headers: the transport may still read those of an attempt
	// that timed out.
	header := make(http.Header, len(req.Header)+4)
	maps.Copy(header, req.Header)
	header["User-Agent"], header["Accept"] = r.sender.userAgent, jsonType
	if a.payload != nil {
		header["Content-Type"] = jsonType
	}
	if r.chain == nil {
		return r.sender.send(ctx, req, header, a.body())
	}
	// Middleware may change its request, and the next attempt needs the original.
	out := req.Clone(ctx)
	out.Header, out.Body = header, a.body()
	return r.chain.RoundTrip(out)
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
