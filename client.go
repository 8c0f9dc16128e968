package whozex

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Version is the SDK's version, as sent in the User-Agent header.
const Version = "0.2.0-dev"

const userAgent = "whozex-go/" + Version

// Client makes the calls of the API. It is safe for concurrent use; make one
// with [New] or [FromEnv] for each API key and keep it, since it holds the
// connections and what it knows of the rate limit.
type Client struct {
	settings
	keys      *keyring
	cache     *cache // nil without WithCache
	retries   *retryablehttp.Client
	transport *transport
}

// New returns a client for the API key, which an admin of Whozex grants.
//
// Mutating calls travel on connections of their own, by HTTP/1.1, which are dropped
// after half a second of idleness: a connection that the server closes just as
// a purchase is sent would leave its outcome unknown. This holds for the
// default transport, for any *http.Transport given by [WithHTTPClient], and
// beneath middleware given by [WithMiddleware].
//
// The error is a [*ParamError]; for an empty key it matches [ErrMissingAPIKey].
func New(apiKey string, opts ...Option) (*Client, error) {
	c := &Client{settings: settings{
		timeout:          DefaultTimeout,
		maxRetries:       DefaultMaxRetries,
		minBackoff:       DefaultMinBackoff,
		maxBackoff:       DefaultMaxBackoff,
		maxRetryAfter:    DefaultMaxRetryAfter,
		maxResponseBytes: DefaultMaxResponseBytes,
		grace:            DefaultGrace,
		userAgent:        userAgent,
	}}
	if c.base, _ = parseBaseURL(DefaultBaseURL); c.base == nil {
		panic("whozex: the default base URL is not one")
	}
	for _, opt := range opts {
		if err := opt(&c.settings); err != nil {
			return nil, err
		}
	}
	if err := c.checkScheme(); err != nil {
		return nil, err
	}
	if err := c.checkGrace(); err != nil {
		return nil, err
	}
	var err error
	if c.keys, err = newKeyring(apiKey, c.ownKeyHeader); err != nil {
		return nil, err
	}
	if c.cacheTTL > 0 {
		c.cache = newCache(c.cacheTTL)
	}
	if c.debug != nil {
		c.middleware = append(c.middleware, c.debug)
	}
	c.transport = newTransport(&c.settings, c.keys)
	c.retries = &retryablehttp.Client{
		HTTPClient:   c.transport.client(c.httpClient),
		RetryWaitMin: c.minBackoff,
		RetryWaitMax: c.maxBackoff,
		RetryMax:     math.MaxInt, // checkRetry counts
		CheckRetry:   c.checkRetry,
		Backoff:      c.backoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return c, nil
}

// FromEnv returns a client for the key in WHOZEX_API_KEY and, when it is set,
// the base URL in WHOZEX_BASE_URL. WHOZEX_INSECURE_HTTP=1 is [WithInsecureHTTP].
// Options come after and win. Without a key the error matches [ErrMissingAPIKey].
func FromEnv(opts ...Option) (*Client, error) {
	var given []Option
	if base := os.Getenv("WHOZEX_BASE_URL"); base != "" {
		given = append(given, WithBaseURL(base))
	}
	switch value := os.Getenv("WHOZEX_INSECURE_HTTP"); value {
	case "1":
		given = append(given, WithInsecureHTTP())
	case "", "0":
	default:
		return nil, invalid("WHOZEX_INSECURE_HTTP", "must be 1 or 0, not %q", value)
	}
	return New(os.Getenv("WHOZEX_API_KEY"), append(given, opts...)...)
}

// SetAPIKey makes all later requests use key; those in flight end with the key
// that they were sent with. It is safe while calls are being made. A key that
// no header can carry is refused with a [*ParamError] and the old one stays.
func (c *Client) SetAPIKey(key string) error {
	defer c.cache.empty()
	return c.keys.set(key)
}

// CloseIdleConnections closes the idle connections that the client opened
// itself. A pool that came with [WithHTTPClient] is left alone.
func (c *Client) CloseIdleConnections() { c.transport.closeIdle() }

// Format implements [fmt.Formatter]: whatever the verb, a client prints as its
// base URL.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil {
		_, _ = io.WriteString(f, "whozex.Client(nil)")
		return
	}
	_, _ = fmt.Fprintf(f, "whozex.Client(%s)", c.base)
}

// Response is what came back over HTTP, see [CaptureResponse].
type Response struct {
	// StatusCode is 0 when no answer came.
	StatusCode int         `json:"status_code"`
	Header     http.Header `json:"header"`
	Meta       Meta        `json:"meta"`
	// Body is the answer as it came, bounded by [WithMaxResponseBytes]. It may hold
	// secrets, and so is not part of the JSON.
	Body []byte `json:"-"`
	// Attempts counts the requests sent; 0 if the answer is another call's, see
	// [WithCache].
	Attempts int `json:"attempts"`
	// RateLimit is what the client knew of the rate limit when the call ended.
	RateLimit RateLimit `json:"rate_limit"`
}

// LogValue implements [slog.LogValuer] without header and body.
func (r Response) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("status_code", r.StatusCode), slog.Int("attempts", r.Attempts), slog.Int("bytes", len(r.Body)))
}

// GoString keeps the body, which may hold a secret, out of %#v.
func (r Response) GoString() string { return r.String() }

// String says status, attempts and length, and nothing of the body.
func (r Response) String() string {
	return fmt.Sprintf("whozex.Response(status %d, %d attempts, %d bytes)", r.StatusCode, r.Attempts, len(r.Body))
}

// CaptureResponse fills dst with the answer to the call, whether it succeeds or
// fails; in an iteration, with that for the last page, and not with [Prefetch]. The
// copy is the caller's.
func CaptureResponse(dst *Response) CallOption {
	return func(o *callOptions) { o.capture = dst }
}

// Meta stands beside the data of every answer.
type Meta struct {
	// Timestamp is the server's time; zero when absent or unreadable.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Version is the API's version, such as "1.0.0".
	Version string `json:"version"`
}
