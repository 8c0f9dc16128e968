package whozex

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/whozex/whozex-go/internal/ratelimit/headers"
	"github.com/whozex/whozex-go/internal/wire"
)

// checkRetry is the retry policy. retryablehttp calls it after every attempt.
func (c *Client) checkRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	s := callStateOf(ctx)
	if ctx.Err() != nil || !c.mayRetry(s) {
		return false, nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < c.retryAfter(s.last.status, s.last.header) {
		s.stopped = context.DeadlineExceeded
		return false, nil
	}
	if c.log != nil {
		c.log.retry(ctx, s.last)
	}
	return true, nil
}

// backoff returns how long retryablehttp waits after attempt n, counted from 0.
func (c *Client) backoff(least, most time.Duration, n int, resp *http.Response) time.Duration {
	if resp != nil {
		if resp.StatusCode == http.StatusTooManyRequests && headers.RetryAfter(resp.Header) > 0 {
			return 0 // the limiter pauses every call, this one included
		}
		if asked := c.retryAfter(resp.StatusCode, resp.Header); asked > 0 {
			return asked
		}
	}
	return jitter(least, most, n+1)
}

// retryAfter returns how long a response other than 429 asks the call to wait.
func (c *Client) retryAfter(status int, header http.Header) time.Duration {
	if status == http.StatusTooManyRequests {
		return 0
	}
	return min(headers.RetryAfter(header), c.maxRetryAfter)
}

func (c *Client) mayRetry(s *callState) bool {
	return s.stopped == nil && s.last.Number <= s.options.maxRetries && s.repeatable()
}

// repeatable reports whether the last attempt may be repeated. A mistake here spends
// money twice: a mutating call needs proof that it did nothing.
func (s *callState) repeatable() bool {
	a := s.last
	switch {
	case a.err == nil && a.status == http.StatusTooManyRequests:
		return !a.Mutating || s.definite()
	case a.Mutating:
		return a.err != nil && a.unsent && !permanent(a.err)
	case a.err != nil:
		return !permanent(a.err)
	}
	switch a.status {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return a.status >= http.StatusInternalServerError
}

// permanent reports whether a retry would end in the same error: no such host, a
// certificate that does not verify, a server without TLS, faulty middleware.
func permanent(err error) bool {
	if errors.Is(err, wire.ErrNoAttempt) || errors.Is(err, wire.ErrForeignHost) {
		return true
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}

// jitter returns a random time up to min·2^(attempt-1), bounded by max.
func jitter(min, max time.Duration, attempt int) time.Duration {
	ceiling := max
	if shifted := min << (attempt - 1); attempt <= 32 && shifted>>(attempt-1) == min && shifted < max {
		ceiling = shifted
	}
	if ceiling <= 0 {
		return 0
	}
	return rand.N(ceiling)
}
