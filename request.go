package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/go-retryablehttp"
)

// request is what an endpoint sends. err is the first invalid parameter, so that an
// endpoint needs no branches.
type request struct {
	op     Operation
	method string
	route  string // path with the names of its parameters, empty for Do
	id     string // of the user or package in the path
	path   string // escaped, below the base URL
	query  url.Values
	body   any // sent as JSON, nil for none
	err    error
}

// read returns a request that changes nothing.
func read(op Operation, route string, ids ...string) request {
	return newRequest(op, http.MethodGet, route, ids)
}

// write returns a request that may change something. It is retried only on proof that
// it did not.
func write(op Operation, route string, ids ...string) request {
	return newRequest(op, http.MethodPost, route, ids)
}

// newRequest replaces the {parameters} of the route by ids, each as one escaped path
// segment.
func newRequest(op Operation, method, route string, ids []string) request {
	r := request{op: op, method: method, route: route, path: route}
	for _, id := range ids {
		before, rest, _ := strings.Cut(r.path, "{")
		field, after, _ := strings.Cut(rest, "}")
		r.check(checkID(field, id))
		r.id, r.path = id, before+url.PathEscape(id)+after
	}
	return r
}

// mutating reports whether the request may change anything.
func (r *request) mutating() bool { return mutates(r.method) }

func (r *request) check(err error) {
	if r.err == nil {
		r.err = err
	}
}

// checkID refuses an id that is empty, or that a server or proxy which cleans paths
// would turn into another route.
func checkID(field, id string) error {
	switch {
	case id == "":
		return missing(field)
	case strings.ContainsFunc(id, control):
		return invalid(field, "%q holds a control character", id)
	}
	for _, segment := range strings.FieldsFunc(id, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return invalid(field, "%q holds a dot segment", id)
		}
	}
	return nil
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// setPath sets a path that is already escaped.
func (r *request) setPath(escaped string) {
	r.path = "/" + strings.TrimPrefix(escaped, "/")
	if strings.ContainsAny(escaped, "?#") {
		r.check(invalid("path", "%q must not hold a query or fragment", escaped))
	}
	for segment := range strings.SplitSeq(r.path[1:], "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			r.check(invalid("path", "%q is not escaped as a URL", escaped))
			return
		}
		r.check(checkID("path", plain))
	}
}

// emptyRequest is copied for each call. http.NewRequest parses the URL again, which
// costs 7% of a call within one process.
var emptyRequest = new(http.Request)

// encode returns the request for retryablehttp. The key, the other headers and the body
// are added at each attempt: the key may change in between, and net/http must not be
// able to repeat the body.
func (s *callState) encode(ctx context.Context, base *url.URL) (*retryablehttp.Request, error) {
	unescaped, err := url.PathUnescape(s.path)
	if err != nil {
		return nil, invalid("path", "%q is not escaped as a URL", s.path)
	}
	s.url = *base
	s.url.Path += unescaped
	if unescaped != s.path || base.RawPath != "" {
		s.url.RawPath = base.EscapedPath() + s.path
	}
	if len(s.query) > 0 {
		s.url.RawQuery = s.query.Encode()
	}
	s.plain = *emptyRequest.WithContext(s.context(ctx))
	plain := &s.plain
	plain.Method, plain.URL, plain.Header = s.method, &s.url, make(http.Header, len(s.options.header))
	if len(s.options.header) > 0 {
		maps.Copy(plain.Header, s.options.header)
	}
	s.retryable.Request = plain
	if s.body == nil {
		return &s.retryable, nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s.body); err != nil {
		return nil, invalid("body", "cannot be encoded as JSON: %v", err)
	}
	s.encoded = bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	plain.ContentLength = int64(len(s.encoded))
	return &s.retryable, nil
}

func positive(field string, n int) error {
	if n < 1 {
		return invalid(field, "must be at least 1, not %d", n)
	}
	return nil
}

func oneOf[T ~string](field string, value T, allowed ...T) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return invalid(field, "must be one of %s, not %q", strings.Trim(fmt.Sprint(allowed), "[]"), value)
}
