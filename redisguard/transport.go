package redisguard

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"
)

const (
	spendIdleTimeout = 500 * time.Millisecond
	idlePerHost      = 128
)

// Transport returns a transport for whozex.WithHTTPClient that sends by base and
// tells all processes of a 429: they pause for its Retry-After, in either of its
// forms, at most [WithMaxPause]. A date counts from the response's own Date, so that
// no other clock matters. A 429 without Retry-After pauses no one. With a nil
// base it has a pool of its own, like that of whozex.New.
//
// whozex.New lets connections for mutating calls idle for half a second
// only, but cannot do so behind a transport that is not an *http.Transport. So
// this one does: when base is nil or an *http.Transport, all but GET and HEAD
// travel by a clone of it with that idle time. Any other base must see to it
// itself.
//
// When Redis is away, a response 429 is held up by [WithTimeout] at most, and the
// whozex.Client that met it pauses by itself; the others meet their own.
func (l *Limiter) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		pooled := &http.Transport{Proxy: http.ProxyFromEnvironment}
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			pooled = standard.Clone()
		}
		pooled.MaxIdleConns, pooled.MaxIdleConnsPerHost = idlePerHost, idlePerHost
		base = pooled
	}
	t := &transport{limiter: l, reads: base, spends: base}
	if pooled, ok := base.(*http.Transport); ok {
		short := pooled.Clone()
		if short.IdleConnTimeout == 0 || short.IdleConnTimeout > spendIdleTimeout {
			short.IdleConnTimeout = spendIdleTimeout
		}
		t.spends = short
	}
	return t
}

type transport struct {
	limiter       *Limiter
	reads, spends http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	next := t.spends
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		next = t.reads
	}
	resp, err := next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		// The others must learn of it even if this caller has left. Where Redis
		// is away they will not, and this response is none the worse for it.
		_ = t.limiter.Pause(context.Background(), retryAfter(resp.Header))
	}
	return resp, err
}

// CloseIdleConnections is for that of http.Client.
func (t *transport) CloseIdleConnections() {
	for _, next := range []http.RoundTripper{t.reads, t.spends} {
		if pool, ok := next.(interface{ CloseIdleConnections() }); ok {
			pool.CloseIdleConnections()
		}
	}
}

// retryAfter reads the header in both of its forms; 0 when there is none.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	sent, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		sent = time.Now()
	}
	return at.Sub(sent)
}
