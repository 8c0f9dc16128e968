// Package headers reads rate limits and waits from the headers of responses.
package headers

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whozex/whozex-go/internal/ratelimit"
)

// The API's page names no header of its rate limit. Servers commonly send these:
//
//	RateLimit: "default";r=50;t=30                  IETF draft httpapi-ratelimit-headers, from 08 on
//	RateLimit-Policy: "default";q=100;w=60
//	RateLimit: limit=100, remaining=50, reset=30    draft 07
//	RateLimit-Policy: 100;w=60
//	RateLimit-Limit, -Remaining, -Reset             drafts up to 06, Kong
//	X-RateLimit-Limit, -Remaining, -Reset           GitHub, Envoy, express-rate-limit
//
// A field that cannot be read is ignored.

// Quota returns the limit that the server reports, nil without a sensible one. Most
// responses have no such header, so it looks for one first.
func Quota(h http.Header) *ratelimit.Quota {
	if len(h["Ratelimit"]) > 0 {
		if q := fromRateLimit(h); q != nil {
			return q
		}
	}
	for i := range threeHeaders {
		names := &threeHeaders[i]
		if len(h[names.limit]) > 0 {
			if q := names.read(h); q != nil {
				return q
			}
		}
	}
	return nil
}

// item is one of a list, as in `"name";w=60` or `limit=100`.
type item struct {
	name, value string // a bare item has no value
	params      map[string]string
}

// number reads the parameter's digits, -1 if there are none or too many.
func (i item) number(name string) int { return digits(i.params[name]) }

// maxListed bounds the work on a header that nobody has agreed to.
const maxListed = 16

// items reads a list, strings and parameters as RFC 9651 has them, as far as
// that says nothing of what follows a comma or semicolon within a string.
func items(values []string) []item {
	if len(values) == 0 {
		return nil
	}
	var list []item
	for _, part := range strings.Split(strings.Join(values, ","), ",") {
		if len(list) == maxListed {
			break
		}
		i := item{params: map[string]string{}}
		for n, field := range strings.Split(part, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
			name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
			if n == 0 {
				i.name, i.value = strings.Trim(name, `"`), value
			} else {
				i.params[name] = value
			}
		}
		list = append(list, i)
	}
	return list
}

// digits reads a number of at most twelve digits, -1 for anything else.
func digits(s string) int {
	if s == "" || len(s) > 12 || strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}

// seconds never overflows: what is longer than a year makes no sense anyway.
func seconds(n int) time.Duration {
	const year = 365 * 24 * 3600
	return time.Duration(min(n, year)) * time.Second
}

// fromRateLimit reads RateLimit in both of its forms. Of several limits it takes
// the one that allows the least.
func fromRateLimit(h http.Header) *ratelimit.Quota {
	limits := items(h["Ratelimit"])
	policies := items(h["Ratelimit-Policy"])
	if q := fromPairs(limits, policies); q != nil {
		return q
	}
	var least *ratelimit.Quota
	for _, limit := range limits {
		for _, policy := range policies {
			if policy.name != limit.name || !countsRequests(policy) {
				continue
			}
			least = lesser(least, quota(policy.number("q"), limit.number("r"), max(policy.number("w"), 0), max(limit.number("t"), 0)))
		}
	}
	return least
}

// countsRequests reports whether the policy's unit is a request: the default, or
// by either of the names that versions of the draft have for it.
func countsRequests(policy item) bool {
	unit := policy.params["qu"]
	return unit == "" || unit == "request" || unit == "requests"
}

// fromPairs reads limit=100, remaining=50, reset=30.
func fromPairs(limits, policies []item) *ratelimit.Quota {
	pairs := map[string]int{"limit": -1, "remaining": -1, "reset": -1}
	for _, i := range limits {
		if _, ok := pairs[i.name]; ok {
			pairs[i.name] = digits(i.value)
		}
	}
	return quota(pairs["limit"], pairs["remaining"], windowOf(policies, pairs["limit"]), pairs["reset"])
}

// three are the names, in canonical form, of headers that report a limit together.
type three struct{ limit, remaining, reset, policy string }

var threeHeaders = [...]three{
	{limit: "Ratelimit-Limit", remaining: "Ratelimit-Remaining", reset: "Ratelimit-Reset", policy: "Ratelimit-Policy"},
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Reset", policy: "X-Ratelimit-Policy"},
}

// read takes three headers. The limit may be followed by policies, as in
// "10, 10;w=1, 1000;w=3600".
func (n *three) read(h http.Header) *ratelimit.Quota {
	limits := items(h[n.limit])
	limit := digits(limits[0].name)
	policies := append(limits, items(h[n.policy])...)
	remaining := digits(strings.TrimSpace(h.Get(n.remaining)))
	return quota(limit, remaining, windowOf(policies, limit), untilReset(h, n.reset))
}

// windowOf is that of the policy with this limit, 0 if there is none.
func windowOf(policies []item, limit int) int {
	for _, policy := range policies {
		if w := policy.number("w"); w > 0 && digits(policy.name) == limit {
			return w
		}
	}
	return 0
}

// untilReset reads seconds to go, 0 if there is no such header, or the time of the
// reset in seconds since 1970 or milliseconds: no window is so long that one could
// be the other. The time is by the server's clock, which Date shows.
func untilReset(h http.Header, name string) int {
	const (
		leastTime    = 100_000_000 // seconds: in 1973, or in three years
		millisDigits = 12          // as many as leastTime has in milliseconds
	)
	text := strings.TrimSpace(h.Get(name))
	if text == "" {
		return 0
	}
	if len(text) >= millisDigits {
		text = text[:len(text)-3]
	}
	n := digits(text)
	if n < leastTime {
		return n
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return n - int(now.Unix())
}

// quota makes sense of numbers of which any may be missing, then -1, or wrong.
func quota(limit, remaining, window, reset int) *ratelimit.Quota {
	q := ratelimit.Quota{Limit: limit, Remaining: remaining, Window: seconds(window), Reset: seconds(reset)}
	if !q.Sensible() {
		return nil
	}
	return &q
}

func lesser(a, b *ratelimit.Quota) *ratelimit.Quota {
	if a == nil || b != nil && b.Rate() < a.Rate() {
		return b
	}
	return a
}
