package whozex

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"strings"
)

// sender puts a request on the wire, beneath all middleware. It gives the rule
// that no mutating call is carried out twice unseen:
//
//	In one attempt at most one request with the call's body leaves. Further
//	attempts come only from the retry policy, which counts and reports them.
//
// net/http would break it in three ways, so each request leaves here in a shape
// that net/http cannot send again, whatever became of it. Without GetBody a body
// that was read once cannot be read again: HTTP/2 then returns RST_STREAM and
// GOAWAY as errors. A body that is nil counts as repeatable over HTTP/2, so it is
// never nil there. With an Idempotency-Key header, and for OPTIONS and TRACE,
// HTTP/1.1 repeats requests too: the header is removed, the body not nil.
// Middleware that sends twice, or after its attempt has ended, is refused.
// On the SDK's own transports mutating calls use HTTP/1.1 alone, where a
// connection that was never had proves that nothing was sent.
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
	errNoAttempt    = errors.New("middleware dropped the context of the request")
	errForeignHost  = errors.New("middleware sent the request to another host, which must not see the API key")
	errNoResponse   = errors.New("the RoundTripper returned neither a response nor an error")
	emptyBody       = empty{}
	idempotencyKeys = []string{"Idempotency-Key", "X-Idempotency-Key"}
)

// empty is a body that net/http does not know for one, unlike [http.NoBody]. Requests
// share it, so it has no state.
type empty struct{}

func (empty) Read([]byte) (int, error) { return 0, io.EOF }
func (empty) Close() error             { return nil }

// RoundTrip implements [http.RoundTripper] for the innermost middleware.
func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	return s.send(req.Context(), req, maps.Clone(req.Header), req.Body)
}

// send sends req with header, which becomes its own, and body.
func (s *sender) send(ctx context.Context, req *http.Request, header http.Header, body io.ReadCloser) (*http.Response, error) {
	a := attemptOf(ctx)
	if err := s.admit(a, req); err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, err
	}
	defer a.leave()
	maps.DeleteFunc(header, isIdempotencyKey)
	// The key is added here, where no middleware logs it.
	header[s.keyHeader] = a.key.header
	out := req.WithContext(s.traced(ctx, a))
	out.Header, out.Body = header, body
	if a.mutating {
		out.GetBody = nil
		if s.repeatsWithoutBody(out) {
			out.Body = emptyBody
		}
	}
	return s.base.RoundTrip(out)
}

// watched has the transport tell a of its connections, where there is something
// to learn of them: whether a mutating call was sent, and whether HTTP/2 goes
// round in circles.
func (s *sender) traced(ctx context.Context, a *attempt) context.Context {
	if !a.mutating && s.plaintext {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: a.gotConn})
}

func (s *sender) admit(a *attempt, req *http.Request) error {
	switch {
	case a == nil:
		return errNoAttempt
	case req.URL.Host != s.host || req.URL.Scheme != s.scheme:
		return errForeignHost
	}
	return a.enter()
}

// repeatsWithoutBody reports whether the transport may send req again for want of
// a body. Others keep none: an empty one would go out chunked, which some
// servers refuse.
func (s *sender) repeatsWithoutBody(req *http.Request) bool {
	if req.Body != nil && req.Body != http.NoBody {
		return false
	}
	return !s.http1 || req.Method == http.MethodOptions || req.Method == http.MethodTrace
}

func isIdempotencyKey(header string, _ []string) bool {
	for _, name := range idempotencyKeys {
		if strings.EqualFold(name, header) {
			return true
		}
	}
	return false
}
