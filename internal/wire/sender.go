package wire

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strings"
)

// sender sends a request, beneath all middleware. It enforces the rule that keeps a
// mutating call from being carried out twice:
//
//	In one attempt at most one request with the call's body leaves. Further
//	attempts come only from the retry policy, which counts and reports them.
//
// net/http repeats some requests by itself, so each leaves here in a form that it cannot
// repeat. Without GetBody it cannot read a body again: HTTP/2 then returns RST_STREAM and
// GOAWAY as errors. HTTP/2 considers a nil body repeatable, so the body is never nil
// there. HTTP/1.1 repeats OPTIONS, TRACE and requests with an Idempotency-Key header: the
// header is removed, and the body is not nil. Middleware that sends twice, or after its
// attempt has ended, is refused. On the SDK's own transports mutating calls use HTTP/1.1
// alone, where a connection that was never made proves that nothing was sent.
type sender struct {
	base      http.RoundTripper
	owned     bool // base is an *http.Transport that nobody else holds
	http1     bool // base speaks HTTP/1.1 alone
	plaintext bool // without TLS, and so without HTTP/2, unless the caller asked for it

	scheme, host string // of the base URL
	keyHeader    string
	userAgent    []string
}

var (
	// ErrNoAttempt and ErrForeignHost are errors of middleware, which a retry repeats.
	ErrNoAttempt    = errors.New("middleware dropped the context of the request")
	ErrForeignHost  = errors.New("middleware sent the request to another host, which must not see the API key")
	errNoResponse   = errors.New("the RoundTripper returned neither a response nor an error")
	emptyBody       = empty{}
	idempotencyKeys = []string{"Idempotency-Key", "X-Idempotency-Key"}
)

// empty is a body without bytes that net/http does not treat as nil, unlike
// [http.NoBody]. Requests share it, so it has no state.
type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }
func (empty) Close() error             { return nil }

// RoundTrip implements [http.RoundTripper] for the innermost middleware.
func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	return s.send(req.Context(), req, new(http.Request), maps.Clone(req.Header), req.Body)
}

// send sends req with body and header. It takes ownership of header.
func (s *sender) send(ctx context.Context, req, out *http.Request, header http.Header, body io.ReadCloser) (*http.Response, error) {
	a := FromContext(ctx)
	if err := s.admit(a, req); err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, err
	}
	defer a.leave()
	// The key is added here, where no middleware logs it.
	header[s.keyHeader] = a.Key.Header
	*out = *req.WithContext(s.traced(ctx, a))
	out.Header, out.Body = header, body
	if out.Host == "" {
		out.Host = s.host
	}
	if a.Mutating {
		maps.DeleteFunc(header, func(name string, _ []string) bool { return IsIdempotencyKey(name) })
		out.GetBody = nil
		if s.repeatsWithoutBody(out) {
			out.Body = emptyBody
		}
	}
	return s.base.RoundTrip(out)
}

// traced adds a connection trace where it is needed: for a mutating call, to prove that
// nothing was sent, and over HTTP/2, to detect a loop.
func (s *sender) traced(ctx context.Context, a *Attempt) context.Context {
	if !a.Mutating && s.plaintext {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: a.gotConn})
}

func (s *sender) admit(a *Attempt, req *http.Request) error {
	switch {
	case a == nil:
		return ErrNoAttempt
	case req.URL.Host != s.host || req.URL.Scheme != s.scheme:
		return ErrForeignHost
	}
	return a.enter()
}

// repeatsWithoutBody reports whether the transport may repeat req because it has no
// body. Only then does it get an empty one, which goes out chunked: some servers refuse
// that.
func (s *sender) repeatsWithoutBody(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody {
		return false
	}
	return !s.http1 || req.Method == http.MethodOptions || req.Method == http.MethodTrace
}

// IsIdempotencyKey reports whether a header makes net/http repeat a request.
func IsIdempotencyKey(header string) bool {
	for _, name := range idempotencyKeys {
		if strings.EqualFold(name, header) {
			return true
		}
	}
	return false
}
