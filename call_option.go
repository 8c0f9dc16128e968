package whozex

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/whozex/whozex-go/internal/wire"
)

// CallOption configures a single call, or each call of an iteration. An invalid value is
// refused with a [*ParamError] before anything is sent.
type CallOption func(*callOptions)

type callOptions struct {
	attemptOptions
	capture *Response
	fresh   bool
	err     error
}

// attemptOptions are those that each attempt of the call needs.
type attemptOptions struct {
	before     func(*OutcomeUnknownError) error
	timeout    time.Duration // of an attempt
	maxRetries int
	header     http.Header
}

func (s *settings) callDefaults() callOptions {
	return callOptions{attemptOptions: attemptOptions{timeout: s.timeout, maxRetries: s.maxRetries}}
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

// shape is equal for reads that may be coalesced into one request.
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

// Fresh bypasses [WithCache].
func Fresh() CallOption { return func(o *callOptions) { o.fresh = true } }

// AttemptTimeout limits each attempt of the call, instead of [WithTimeout]. For a
// mutating call it must not exceed the grace, see [WithGrace], unless that is 0.
func AttemptTimeout(d time.Duration) CallOption {
	return func(o *callOptions) {
		if d <= 0 {
			o.check(invalid("attempt timeout", "must be positive, not %s", d))
		}
		o.timeout = d
	}
}

// MaxRetries limits the retries of the call, instead of [WithMaxRetries]; 0 disables
// them.
func MaxRetries(n int) CallOption {
	return func(o *callOptions) {
		if n < 0 {
			o.check(invalid("max retries", "must not be negative, not %d", n))
		}
		o.maxRetries = n
	}
}

// Header adds a header to each request of the call, such as one that your proxy needs.
// Headers that the client sets itself are refused, including those of the API key and of
// idempotency keys, see [WithMiddleware]. Such a call does not use [WithCache].
func Header(name, value string) CallOption {
	return func(o *callOptions) {
		name := http.CanonicalHeaderKey(name)
		switch {
		case name == "" || strings.ContainsFunc(name, notOfToken):
			o.check(invalid("header", "%q is not a header name", name))
		case strings.ContainsFunc(value, unprintable):
			o.check(invalid("header", "%s contains a character that is not allowed in a header", name))
		case slices.Contains(ownHeaders, name) || wire.IsIdempotencyKey(name):
			o.check(invalid("header", "%s is set by the client", name))
		}
		if o.header == nil {
			o.header = http.Header{}
		}
		o.header.Add(name, value)
	}
}

// ownHeaders are set by the client or by net/http.
var ownHeaders = []string{
	"Authorization", "X-Api-Key", "User-Agent", "Accept", "Accept-Encoding", "Content-Type", "Content-Length",
	"Host", "Connection", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Expect",
}

func notOfToken(r rune) bool {
	return unprintable(r) || strings.ContainsRune(` "(),/:;<=>?@[\]{}`, r)
}

// BeforeSend calls keep just before each request of a mutating call, with a copy of what
// [Client.Reconcile] needs if the response is lost. A program that stores it can resolve
// the call even if it crashes in the middle.
//
// If keep returns an error, or the context ends meanwhile, nothing is sent and the call
// fails with that error. If keep takes longer than a tenth of the grace, see [WithGrace],
// its record is out of date: keep is called once more, and if that is as slow, the call
// fails and nothing is sent. Attempts is 1 at the first request; earlier requests
// provably did nothing. Reads never call keep.
func BeforeSend(keep func(*OutcomeUnknownError) error) CallOption {
	return func(o *callOptions) { o.before = keep }
}
