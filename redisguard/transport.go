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
	writeIdleTimeout = 500 * time.Millisecond
	maxIdleConns     = 128
)

// Transport returns a transport for whozex.WithHTTPClient. It sends requests
// through base, and after a 429 it calls [Limiter.Pause], which pauses all
// processes for the Retry-After of the response, at most for [WithMaxPause].
// Retry-After may be a number of seconds or a date. A date is compared with the Date
// header of the response, so the local clock does not matter. A 429 without
// Retry-After causes no pause. If base is nil, the transport has its own connection
// pool, with the same settings as that of whozex.New.
//
// whozex.New closes connections for mutating calls after half a second without
// use, but it can do so only with an *http.Transport. Transport does it instead: if
// base is nil or an *http.Transport, all requests except GET and HEAD use a clone
// of it with that idle timeout. Any other base must do so itself.
//
// When Redis is down, a 429 response is delayed by at most [WithTimeout]. Then only
// the whozex.Client that received it pauses.
func (l *Limiter) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		pooled := &http.Transport{Proxy: http.ProxyFromEnvironment}
		if standard, ok := http.DefaultTransport.(*http.Transport); ok {
			pooled = standard.Clone()
		}
		pooled.MaxIdleConns, pooled.MaxIdleConnsPerHost = maxIdleConns, maxIdleConns
		base = pooled
	}
	t := &transport{limiter: l, reads: base, writes: base}
	if pooled, ok := base.(*http.Transport); ok {
		writes := pooled.Clone()
		if writes.IdleConnTimeout == 0 || writes.IdleConnTimeout > writeIdleTimeout {
			writes.IdleConnTimeout = writeIdleTimeout
		}
		t.writes = writes
	}
	return t
}

type transport struct {
	limiter       *Limiter
	reads, writes http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	next := t.writes
	if req.Method == http.MethodGet || req.Method == http.MethodHead {
		next = t.reads
	}
	resp, err := next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		// The pause applies even if this caller's context has ended. The caller
		// gets its response whether or not Redis stored the pause.
		_ = t.limiter.Pause(context.Background(), retryAfter(resp.Header))
	}
	return resp, err
}

// CloseIdleConnections makes http.Client.CloseIdleConnections work.
func (t *transport) CloseIdleConnections() {
	for _, next := range []http.RoundTripper{t.reads, t.writes} {
		if pool, ok := next.(interface{ CloseIdleConnections() }); ok {
			pool.CloseIdleConnections()
		}
	}
}

// retryAfter parses Retry-After, in seconds or as a date. It returns 0 if the
// header is missing or invalid.
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
