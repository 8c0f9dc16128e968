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
const Version = "0.2.0"

const userAgent = "whozex-go/" + Version

// Client calls the API. It is safe for concurrent use. Create one with [New] or
// [FromEnv] for each API key and keep it: it holds the connections and the state of
// the rate limiter.
type Client struct {
	settings
	keys      *keyring
	retries   *retryablehttp.Client
	transport *transport
}

// New returns a client for the API key, which an admin of Whozex grants.
//
// Mutating calls use their own HTTP/1.1 connections, which are closed after half a second
// without use: if the server closed an idle connection just as a purchase is sent, its
// outcome would be unknown. This applies to the default transport, to any *http.Transport
// of [WithHTTPClient], and with the middleware of [WithMiddleware].
//
// The error is a [*ParamError]; for an empty key it matches [ErrMissingAPIKey].
func New(apiKey string, opts ...Option) (*Client, error) {
	c := &Client{settings: settings{
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
	c.setTimeout()
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
// Options override the environment. Without a key the error matches [ErrMissingAPIKey].
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

// SetAPIKey sets the key of all later requests. Requests in flight keep the old one.
// It is safe for concurrent use. A key that is not a valid header value is refused with a
// [*ParamError], and the old key stays.
func (c *Client) SetAPIKey(key string) error {
	defer c.emptyCache()
	return c.keys.set(key)
}

// CloseIdleConnections closes the idle connections of the client's own transports. It
// does not touch the pool of a transport given by [WithHTTPClient].
func (c *Client) CloseIdleConnections() { c.transport.wire.CloseIdle() }

// Format implements [fmt.Formatter]: with every verb a client prints as its base URL.
func (c *Client) Format(f fmt.State, _ rune) {
	if c == nil {
		_, _ = io.WriteString(f, "whozex.Client(nil)")
		return
	}
	_, _ = fmt.Fprintf(f, "whozex.Client(%s)", c.base)
}

// Response is the HTTP response of a call, see [CaptureResponse].
type Response struct {
	// StatusCode is 0 without a response.
	StatusCode int         `json:"status_code"`
	Header     http.Header `json:"header"`
	Meta       Meta        `json:"meta"`
	// Body is the body as received, bounded by [WithMaxResponseBytes]. It may hold
	// secrets, so it is not part of the JSON.
	Body SecretBytes `json:"-"`
	// Attempts counts the requests sent; 0 for a cached or shared response, see
	// [WithCache].
	Attempts int `json:"attempts"`
	// RateLimit is the client's view of the rate limit when the call ended.
	RateLimit RateLimit `json:"rate_limit"`
}

// LogValue implements [slog.LogValuer] without header and body.
func (r Response) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("status_code", r.StatusCode), slog.Int("attempts", r.Attempts), slog.Int("bytes", len(r.Body)))
}

// Format implements [fmt.Formatter]: with every verb it prints what String returns.
func (r Response) Format(f fmt.State, verb rune) { formatText(f, verb, r.String()) }

// String returns status, attempts and length, without the body.
func (r Response) String() string {
	return fmt.Sprintf("whozex.Response(status %d, %d attempts, %d bytes)", r.StatusCode, r.Attempts, len(r.Body))
}

// CaptureResponse fills dst with the response of the call, whether it succeeds or
// fails; in an iteration with that of the last page. It cannot be combined with
// [Prefetch]. The caller owns the copy.
func CaptureResponse(dst *Response) CallOption {
	return func(o *callOptions) { o.capture = dst }
}

// Meta is the metadata of every response.
type Meta struct {
	// Timestamp is the server's time; zero when absent or unreadable.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Version is the API's version, such as "1.0.0".
	Version string `json:"version"`
}
