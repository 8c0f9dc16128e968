package faulttest

import (
	"io"
	"net/http"
	"strings"
)

// RoundTrip is a function as a transport, for tests with a virtual clock.
type RoundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f RoundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Reply returns a response to req, with header as names and values in turn.
func Reply(req *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}
