package whozex

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Defaults of [New].
const (
	DefaultBaseURL          = "https://api.whozex.com/v1"
	DefaultTimeout          = 30 * time.Second
	DefaultMaxRetries       = 3
	DefaultMinBackoff       = 250 * time.Millisecond
	DefaultMaxBackoff       = 8 * time.Second
	DefaultMaxRetryAfter    = 60 * time.Second
	DefaultMaxResponseBytes = 8 << 20
	DefaultGrace            = 2 * time.Minute
)

// Option changes a default of [New]. A value that makes no sense is refused by
// New with a [*ParamError].
type Option func(*settings) error

type settings struct {
	base             *url.URL
	insecureHTTP     bool
	httpClient       *http.Client
	middleware       []func(http.RoundTripper) http.RoundTripper
	ownKeyHeader     bool
	timeout          time.Duration
	maxRetries       int
	minBackoff       time.Duration
	maxBackoff       time.Duration
	maxRetryAfter    time.Duration
	maxResponseBytes int64
	limiter          Limiter
	cacheTTL         time.Duration
	grace            time.Duration
	ownGrace         bool
	log              reporter                                  // nil for none
	debug            func(http.RoundTripper) http.RoundTripper // nil for none
	hooks            []func(context.Context, CallInfo) (context.Context, func(CallInfo))
	userAgent        string
}

// Limiter spaces the client's requests: Wait blocks until the next one may go
// out, or returns an error, which fails the call without anything being sent.
// *rate.Limiter of golang.org/x/time/rate is one as it stands.
type Limiter interface {
	Wait(ctx context.Context) error
}

// WithBaseURL sets the API's address, [DefaultBaseURL] if not given. It must be
// https; plain http is taken for loopback addresses alone, for development
// against a stand-in such as package whozextest, unless [WithInsecureHTTP] is given.
func WithBaseURL(address string) Option {
	return func(s *settings) error {
		base, err := parseBaseURL(address)
		if err != nil {
			return err
		}
		s.base = base
		return nil
	}
}

// WithHTTPClient takes transport, cookie jar and time-out from client, which is
// copied and never changed: redirects are never followed, its Timeout, when
// set, becomes that of one attempt (as [WithTimeout], which wins), and its idle
// connections are left alone. When its transport is an *http.Transport, mutating
// calls use a clone of it, see [New].
//
// With any other RoundTripper the SDK cannot see the connections. Mutating calls
// then share them with reads, so that a server that closes an idle one may leave
// an outcome unknown; no error proves that nothing was sent, so that every failed
// mutating call without a response ends with an unknown outcome, even a refused
// connection, and none is sent again; and a RoundTripper that itself sends a
// request twice is not stopped. To trace, log or add headers, use
// [WithMiddleware], which loses nothing of this.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error {
		if client == nil {
			return missing("HTTP client")
		}
		s.httpClient = client
		return nil
	}
}

// WithMiddleware puts middleware, such as that of OpenTelemetry, between the client
// and its own transport, the first outermost. Each attempt passes through it.
// [OperationFromContext] tells the operation and the number of the attempt.
//
// Middleware sends a request, with its context or one derived from it, by the
// RoundTripper that it is given, to the host that it is for; a mutating call once
// for each attempt. Anything else is refused without being sent. It never sees the API key, which
// is added beneath it. An idempotency header is removed, because net/http would
// take it as leave to send a request again.
func WithMiddleware(wrap ...func(http.RoundTripper) http.RoundTripper) Option {
	return func(s *settings) error {
		for i, w := range wrap {
			if w == nil {
				return invalid("middleware", "number %d is nil", i+1)
			}
		}
		s.middleware = append(s.middleware, wrap...)
		return nil
	}
}

// WithAPIKeyHeader sends the key as X-API-Key in place of the recommended
// Authorization: Bearer.
func WithAPIKeyHeader() Option {
	return func(s *settings) error {
		s.ownKeyHeader = true
		return nil
	}
}

// WithTimeout bounds one attempt, from sending to the last byte of the answer's
// body; waiting before it does not count. [DefaultTimeout] if not given. The
// whole call, waits and retries included, is bounded by its context.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return invalid("timeout", "must be positive, not %s", d)
		}
		s.timeout = d
		return nil
	}
}

// WithMaxRetries sets how often a call may be sent again after its first
// attempt, [DefaultMaxRetries] if not given; 0 turns retries off. A
// mutating call is retried only if the last attempt provably did nothing.
func WithMaxRetries(n int) Option {
	return func(s *settings) error {
		if n < 0 {
			return invalid("max retries", "must not be negative, not %d", n)
		}
		s.maxRetries = n
		return nil
	}
}

// WithBackoff sets the bounds of the wait before a retry: a random time up to
// min, doubled with each attempt until it reaches max. [DefaultMinBackoff] and
// [DefaultMaxBackoff] if not given.
func WithBackoff(min, max time.Duration) Option {
	return func(s *settings) error {
		if min < 0 || max < min {
			return invalid("backoff", "needs 0 <= min <= max, not %s and %s", min, max)
		}
		s.minBackoff, s.maxBackoff = min, max
		return nil
	}
}

// WithMaxRetryAfter caps how long a server's Retry-After is obeyed,
// [DefaultMaxRetryAfter] if not given.
func WithMaxRetryAfter(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return invalid("max retry after", "must be positive, not %s", d)
		}
		s.maxRetryAfter = d
		return nil
	}
}

// WithMaxResponseBytes bounds the body of an answer, [DefaultMaxResponseBytes]
// if not given. A longer 2xx is a [*ResponseError] that holds its beginning.
func WithMaxResponseBytes(n int64) Option {
	return func(s *settings) error {
		if n <= 0 {
			return invalid("max response bytes", "must be positive, not %d", n)
		}
		s.maxResponseBytes = n
		return nil
	}
}

// WithLimiter spaces all requests of the client, retries included. The API's
// page names no rates; without a limiter the client goes by the server's 429s.
func WithLimiter(limiter Limiter) Option {
	return func(s *settings) error {
		if limiter == nil {
			return missing("limiter")
		}
		s.limiter = limiter
		return nil
	}
}

// WithCache answers reads from memory for ttl, and makes equal reads at the same
// time one request. The API's page asks to cache. Off if not given.
//
// Any mutating call of this client empties the cache, and so does
// [Client.SetAPIKey]; what other clients change is seen after ttl at the latest.
// Every caller gets a value of his own, and one who cancels disturbs no other.
// Only successes are kept, the latest 512, unless longer than 128 KiB. A
// [Response] that came from memory counts no attempts.
func WithCache(ttl time.Duration) Option {
	return func(s *settings) error {
		if ttl <= 0 {
			return invalid("cache ttl", "must be positive, not %s", ttl)
		}
		s.cacheTTL = ttl
		return nil
	}
}

// WithGrace sets how long after the end of its attempt a request may still be
// carried out, or show in the lists, as far as [Client.Reconcile] is concerned:
// [DefaultGrace] if not given, and never less than [WithTimeout], within which a
// response is waited for. 0 waits for nothing, for servers that are known to be
// at rest. The API's page names no bound.
func WithGrace(d time.Duration) Option {
	return func(s *settings) error {
		if d < 0 {
			return invalid("grace", "must not be negative, not %s", d)
		}
		s.grace, s.ownGrace = d, true
		return nil
	}
}

func (s *settings) checkGrace() error {
	switch {
	case !s.ownGrace:
		s.grace = max(s.grace, s.timeout)
	case s.grace > 0 && s.grace < s.timeout:
		return invalid("grace", "must be 0 or at least the timeout of %s, not %s", s.timeout, s.grace)
	}
	return nil
}

// WithUserAgent puts product, such as "mybot/1.2", before the SDK's own name in
// the User-Agent header.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		if product == "" || strings.TrimSpace(product) != product || strings.ContainsFunc(product, unprintable) {
			return invalid("user agent", "must be printable text without blanks around it, not %q", product)
		}
		s.userAgent = product + " " + userAgent
		return nil
	}
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

func parseBaseURL(address string) (*url.URL, error) {
	const field = "base URL"
	if address == "" {
		return nil, missing(field)
	}
	base, err := url.Parse(address)
	if err != nil {
		return nil, invalid(field, "cannot be parsed")
	}
	switch {
	case base.User != nil:
		return nil, invalid(field, "must not hold a user or password")
	case base.Host == "" || base.Hostname() == "":
		return nil, invalid(field, "%q names no host", address)
	case base.RawQuery != "" || base.ForceQuery || strings.Contains(address, "#"):
		return nil, invalid(field, "%q must not hold a query or fragment", address)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = strings.TrimRight(base.RawPath, "/")
	return base, nil
}
