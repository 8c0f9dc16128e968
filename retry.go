package whozex

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"
)

// mayRetry is the retry policy: retryablehttp asks it after every attempt.
func (c *Client) mayRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	x := exchangeOf(ctx)
	if x.stopped != nil || x.attempts > c.maxRetries || !x.repeatable() {
		return false, nil
	}
	switch {
	case x.err != nil:
		x.retrying = x.failure(x.err)
	default:
		x.retrying = x.apiError()
	}
	if ctx.Err() != nil {
		return false, nil
	}
	wait := jitter(c.minBackoff, c.maxBackoff, x.attempts)
	if asked := parseRetryAfter(x.header); asked > 0 {
		// After a 429 the gate makes every call wait, this one too.
		wait = 0
		if x.status != http.StatusTooManyRequests {
			wait = min(asked, c.maxRetryAfter)
		}
	}
	x.notBefore = time.Now().Add(wait)
	return true, nil
}

// waitOnTheWire is retryablehttp's backoff: none, because the transport waits,
// where the pause and the limiter are known and the attempt's time-out has not
// begun.
func waitOnTheWire(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return 0 }

// repeatable reports whether the last attempt may be made again. This is where
// money could be spent twice: a mutating call needs proof that it did nothing.
func (x *exchange) repeatable() bool {
	switch {
	case x.err == nil && x.status == http.StatusTooManyRequests:
		return !x.spends || x.definite()
	case x.spends:
		return x.err != nil && x.unsent && !permanent(x.err)
	case x.err != nil:
		return !permanent(x.err)
	}
	switch x.status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// definite reports whether a status outside 2xx says that a mutating call did
// nothing. The statuses of RFC 9110 and its registry do so from 400 to 499, save
// 408: gateways send it, as 499 and 460 outside the registry, while the server
// behind them goes on. A documented code always does. A body that claims success
// never does, nor one that is too long to be read.
func (x *exchange) definite() bool {
	body := x.body.Bytes()
	if x.over || claimsSuccess(body) {
		return false
	}
	code, _ := failureOf(body)
	if sentinelByCode[code] != nil {
		return true
	}
	return x.status/100 == 4 && x.status != http.StatusRequestTimeout && http.StatusText(x.status) != ""
}

// permanent reports whether err would only come again: no such host, a
// certificate that does not verify, a server that does not speak TLS, middleware
// at fault.
func permanent(err error) bool {
	if errors.Is(err, errNoAttempt) || errors.Is(err, errElsewhere) {
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

// jitter is a random time up to min·2^(attempt-1), bounded by max.
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

// parseRetryAfter reads the header in both of its forms; 0 when there is
// nothing to wait for.
func parseRetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
