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

// Option configures a client. [New] refuses an invalid value with a [*ParamError].
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
	cache            responseCache // nil for none
	grace            time.Duration
	ownGrace         bool
	log              reporter                                  // nil for none
	debug            func(http.RoundTripper) http.RoundTripper // nil for none
	hooks            []func(context.Context, CallInfo) (context.Context, func(CallInfo))
	userAgent        string
}

// Limiter limits the rate of the client's requests: Wait blocks until the next one may be
// sent, or returns an error, which fails the call before anything is sent. *rate.Limiter
// of golang.org/x/time/rate implements it.
type Limiter interface {
	Wait(ctx context.Context) error
}

// WithBaseURL sets the API's address; the default is [DefaultBaseURL]. It must be https.
// Plain http is accepted for loopback addresses, such as those of package whozextest, and
// with [WithInsecureHTTP].
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

// WithHTTPClient uses the transport and cookie jar of client, which is copied and never
// changed. Redirects are not followed, its idle connections are not closed, and its
// Timeout, if set, is the default of [WithTimeout]. If its transport is an
// *http.Transport, mutating calls use a clone of it, see [New].
//
// With any other RoundTripper the SDK cannot see the connections. Mutating calls then
// share them with reads, so that a server that closes an idle one may leave an outcome
// unknown. No error proves that nothing was sent: every mutating call that fails without
// a response has an unknown outcome, even if the connection was refused, and is not
// retried. A RoundTripper that itself sends a request twice is not stopped. To trace,
// log or add headers, use [WithMiddleware], which keeps all protections.
func WithHTTPClient(client *http.Client) Option {
	return func(s *settings) error {
		if client == nil {
			return missing("HTTP client")
		}
		s.httpClient = client
		return nil
	}
}

// WithMiddleware adds middleware, such as that of OpenTelemetry, around the client's own
// transports, the first outermost. Each attempt passes through it.
// [OperationFromContext] returns the operation and the number of the attempt.
//
// Middleware must send the request with its context, or one derived from it, by the
// RoundTripper that it wraps, to the same host, and a mutating call once for each
// attempt. Anything else is refused before it is sent. Middleware does not see the API
// key, which is added beneath it. An idempotency header is removed, because net/http
// repeats requests that have one.
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

// WithAPIKeyHeader sends the key as X-API-Key instead of the recommended
// Authorization: Bearer.
func WithAPIKeyHeader() Option {
	return func(s *settings) error {
		s.ownKeyHeader = true
		return nil
	}
}

// WithTimeout limits one attempt, from sending to the last byte of the response; the
// default is [DefaultTimeout]. It does not include waits. The context limits the whole
// call, with waits and retries.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return invalid("timeout", "must be positive, not %s", d)
		}
		s.timeout = d
		return nil
	}
}

func (s *settings) setTimeout() {
	if s.timeout == 0 && s.httpClient != nil {
		s.timeout = s.httpClient.Timeout
	}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
}

// WithMaxRetries limits the retries of a call; the default is [DefaultMaxRetries], and 0
// disables retries. A mutating call is retried only if the last attempt provably did
// nothing.
func WithMaxRetries(n int) Option {
	return func(s *settings) error {
		if n < 0 {
			return invalid("max retries", "must not be negative, not %d", n)
		}
		s.maxRetries = n
		return nil
	}
}

// WithBackoff sets the wait before a retry: a random time up to min, which doubles with
// each attempt up to max. The defaults are [DefaultMinBackoff] and [DefaultMaxBackoff].
func WithBackoff(min, max time.Duration) Option {
	return func(s *settings) error {
		if min < 0 || max < min {
			return invalid("backoff", "needs 0 <= min <= max, not %s and %s", min, max)
		}
		s.minBackoff, s.maxBackoff = min, max
		return nil
	}
}

// WithMaxRetryAfter limits the wait for a Retry-After header; the default is
// [DefaultMaxRetryAfter].
func WithMaxRetryAfter(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return invalid("max retry after", "must be positive, not %s", d)
		}
		s.maxRetryAfter = d
		return nil
	}
}

// WithMaxResponseBytes limits the body of a response; the default is
// [DefaultMaxResponseBytes]. A longer 2xx response is a [*ResponseError] with its
// beginning.
func WithMaxResponseBytes(n int64) Option {
	return func(s *settings) error {
		if n <= 0 {
			return invalid("max response bytes", "must be positive, not %d", n)
		}
		s.maxResponseBytes = n
		return nil
	}
}

// WithLimiter limits the rate of all requests, including retries. The API documents no
// rate; without a limiter the client adapts to the server's headers and 429s.
func WithLimiter(limiter Limiter) Option {
	return func(s *settings) error {
		if limiter == nil {
			return missing("limiter")
		}
		s.limiter = limiter
		return nil
	}
}

// WithCache keeps the responses to reads for ttl, and coalesces equal reads at the same
// time into one request. The API asks clients to cache. The default is no cache.
//
// Any mutating call of this client empties the cache, and so does [Client.SetAPIKey];
// changes by other clients are seen after ttl at the latest. Every caller gets its own
// copy, and cancelling one does not affect the others. The cache keeps the latest 512
// successful responses of at most 128 KiB. A cached [Response] has 0 attempts.
func WithCache(ttl time.Duration) Option {
	return func(s *settings) error {
		if ttl <= 0 {
			return invalid("cache ttl", "must be positive, not %s", ttl)
		}
		s.cache = newCache(ttl)
		return nil
	}
}

// WithGrace sets how long after the end of its attempt [Client.Reconcile] expects that a
// request may still be carried out, or appear in the lists. The default is
// [DefaultGrace]; less than [WithTimeout] is refused. 0 is for tests with a server that
// is known to be idle. The API documents no limit.
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
			return invalid("user agent", "must be printable text without surrounding whitespace, not %q", product)
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
		return nil, invalid(field, "must not contain a user or password")
	case base.Host == "" || base.Hostname() == "":
		return nil, invalid(field, "%q has no host", address)
	case base.RawQuery != "" || base.ForceQuery || strings.Contains(address, "#"):
		return nil, invalid(field, "%q must not contain a query or fragment", address)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = strings.TrimRight(base.RawPath, "/")
	return base, nil
}
