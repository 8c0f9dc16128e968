package whozex

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// CallOption changes a single call, or each call of a walk through a list. A value
// that makes no sense is refused with a [*ParamError], and nothing is sent.
type CallOption func(*callOptions)

type callOptions struct {
	capture    *Response
	fresh      bool
	before     func(*OutcomeUnknownError) error
	timeout    time.Duration // of an attempt
	maxRetries int
	header     http.Header
	err        error
}

func (s *settings) callDefaults() callOptions {
	return callOptions{timeout: s.timeout, maxRetries: s.maxRetries}
}

func (s *settings) collect(opts []CallOption) callOptions {
	if len(opts) == 0 {
		return s.callDefaults() // without an allocation
	}
	o := s.callDefaults()
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// shape tells apart the reads that may be one request, see [WithCache].
func (o *callOptions) shape(s *settings) string {
	if o.timeout == s.timeout && o.maxRetries == s.maxRetries {
		return ""
	}
	return fmt.Sprintf(" %s %d", o.timeout, o.maxRetries)
}

func (o *callOptions) check(err error) {
	if o.err == nil {
		o.err = err
	}
}

// Fresh asks the API even if [WithCache] has an answer.
func Fresh() CallOption { return func(o *callOptions) { o.fresh = true } }

// AttemptTimeout bounds each attempt of the call, in place of [WithTimeout]. A
// mutating call takes no more than the grace, see [WithGrace], unless that is 0.
func AttemptTimeout(d time.Duration) CallOption {
	return func(o *callOptions) {
		if d <= 0 {
			o.check(invalid("attempt timeout", "must be positive, not %s", d))
		}
		o.timeout = d
	}
}

// MaxRetries sets how often the call may be sent again, in place of
// [WithMaxRetries]; 0 sends it once.
func MaxRetries(n int) CallOption {
	return func(o *callOptions) {
		if n < 0 {
			o.check(invalid("max retries", "must not be negative, not %d", n))
		}
		o.maxRetries = n
	}
}

// Header adds a header to each request of the call, such as one that a proxy of
// yours needs. Headers that the client itself sets are refused, and so are those of
// the API key and of idempotency keys, see [WithMiddleware]. Such a call does not use
// [WithCache].
func Header(name, value string) CallOption {
	return func(o *callOptions) {
		name := http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.ContainsFunc(name, notOfToken):
			o.check(invalid("header", "%q is no name of one", name))
		case strings.ContainsFunc(value, unprintable):
			o.check(invalid("header", "%s holds a character that no header can carry", name))
		case slices.Contains(ownHeaders, name) || isIdempotencyKey(name, nil):
			o.check(invalid("header", "%s is not for the caller to set", name))
		}
		if o.header == nil {
			o.header = http.Header{}
		}
		o.header.Add(name, value)
	}
}

// ownHeaders are those of the client, and those of the connection.
var ownHeaders = []string{
	"Authorization", "X-Api-Key", "User-Agent", "Accept", "Accept-Encoding", "Content-Type", "Content-Length",
	"Host", "Connection", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect",
}

func notOfToken(r rune) bool {
	return unprintable(r) || strings.ContainsRune(` "(),/:;<=>?@[\]{}`, r)
}

// BeforeSend has keep called just before each request of a mutating call,
// with what [Client.Reconcile] needs if the answer to that request is lost.
// A program that stores it can settle the call even if it crashes in the middle.
// What keep gets is a copy. If keep takes longer than a tenth of the grace (see
// [WithGrace]), its record is out of date: it is called once more, and if it is as
// slow again, the call fails and nothing is sent.
// If keep returns an error, or the context ends meanwhile, nothing is sent and the
// call fails with that error.
// Attempts is 1 at the first request; those before the one at hand are known to
// have done nothing. Calls that only read never call keep.
func BeforeSend(keep func(*OutcomeUnknownError) error) CallOption {
	return func(o *callOptions) { o.before = keep }
}
