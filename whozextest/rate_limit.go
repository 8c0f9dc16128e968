package whozextest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// RateLimitHeaders is a form in which real servers report their rate limit. The
// API documents none; see [WithRateLimitHeaders].
type RateLimitHeaders string

const (
	// RateLimitHeadersIETF is RateLimit and RateLimit-Policy of
	// draft-ietf-httpapi-ratelimit-headers from version 8 on, written as
	// express-rate-limit 8 does for standardHeaders 'draft-8' (source/headers.ts).
	RateLimitHeadersIETF RateLimitHeaders = "IETF"
	// RateLimitHeadersDraft7 is the same two headers in the form of version 7, as
	// express-rate-limit writes them for 'draft-7'.
	RateLimitHeadersDraft7 RateLimitHeaders = "draft 7"
	// RateLimitHeadersDraft6 is RateLimit-Limit, -Remaining, -Reset and -Policy of
	// version 6, as express-rate-limit writes them for 'draft-6'.
	RateLimitHeadersDraft6 RateLimitHeaders = "draft 6"
	// RateLimitHeadersKong is RateLimit-Limit, -Remaining and -Reset, and for a
	// second, minute, hour or day also X-RateLimit-Limit-Second and so on, as the
	// rate-limiting plugin of Kong Gateway documents them. It reports no other window.
	RateLimitHeadersKong RateLimitHeaders = "Kong"
	// RateLimitHeadersEnvoy is X-RateLimit-Limit with the window, -Remaining, and
	// -Reset in seconds cut to whole ones, as Envoy writes them
	// (source/extensions/filters/http/ratelimit/ratelimit_headers.cc).
	RateLimitHeadersEnvoy RateLimitHeaders = "Envoy"
	// RateLimitHeadersGitHub is X-RateLimit-Limit, -Remaining, -Used, and -Reset as
	// a time in seconds since 1970, as the documentation of GitHub's REST API has
	// them. It reports no window.
	RateLimitHeadersGitHub RateLimitHeaders = "GitHub"
)

// report is the state of a bucket as a quota of whole numbers.
type report struct {
	limit, remaining int
	window           int           // in seconds
	full             time.Duration // until the bucket is full
	now              time.Time
}

func (b *bucket) report(now time.Time) report {
	window := math.Max(1, math.Ceil(b.burst/b.perSecond))
	return report{
		limit:     max(1, int(b.perSecond*window)),
		remaining: int(b.tokens),
		window:    int(window),
		full:      time.Duration((b.burst - b.tokens) / b.perSecond * float64(time.Second)),
		now:       now,
	}
}

// reset is the time until the bucket is full in seconds, rounded up.
func (r report) reset() int { return int(math.Ceil(r.full.Seconds())) }

func (r report) policy() string { return fmt.Sprintf("%d;w=%d", r.limit, r.window) }

// three sets the headers prefix-Limit, -Remaining and -Reset.
func (r report) three(h http.Header, prefix string, reset int64) {
	h.Set(prefix+"-Limit", strconv.Itoa(r.limit))
	h.Set(prefix+"-Remaining", strconv.Itoa(r.remaining))
	h.Set(prefix+"-Reset", strconv.FormatInt(reset, 10))
}

var rateLimitForms = map[RateLimitHeaders]func(http.Header, report){
	RateLimitHeadersIETF: func(h http.Header, r report) {
		h.Set("RateLimit-Policy", fmt.Sprintf(`"default"; q=%d; w=%d; pk=:ZTNiMGM0NDI5OGZj:`, r.limit, r.window))
		h.Set("RateLimit", fmt.Sprintf(`"default"; r=%d; t=%d`, r.remaining, r.reset()))
	},
	RateLimitHeadersDraft7: func(h http.Header, r report) {
		h.Set("RateLimit-Policy", r.policy())
		h.Set("RateLimit", fmt.Sprintf("limit=%d, remaining=%d, reset=%d", r.limit, r.remaining, r.reset()))
	},
	RateLimitHeadersDraft6: func(h http.Header, r report) {
		h.Set("RateLimit-Policy", r.policy())
		r.three(h, "RateLimit", int64(r.reset()))
		if r.reset() == 0 {
			h.Del("RateLimit-Reset") // as express-rate-limit does
		}
	},
	RateLimitHeadersKong: func(h http.Header, r report) {
		r.three(h, "RateLimit", int64(max(1, r.reset())))
		if unit := map[int]string{1: "Second", 60: "Minute", 3600: "Hour", 86400: "Day"}[r.window]; unit != "" {
			h.Set("X-RateLimit-Limit-"+unit, strconv.Itoa(r.limit))
			h.Set("X-RateLimit-Remaining-"+unit, strconv.Itoa(r.remaining))
		}
	},
	RateLimitHeadersEnvoy: func(h http.Header, r report) {
		r.three(h, "X-RateLimit", int64(r.full/time.Second))
		h.Set("X-RateLimit-Limit", fmt.Sprintf("%d, %s", r.limit, r.policy()))
	},
	RateLimitHeadersGitHub: func(h http.Header, r report) {
		r.three(h, "X-RateLimit", r.now.Unix()+int64(r.reset()))
		h.Set("X-RateLimit-Used", strconv.Itoa(r.limit-r.remaining))
		h.Set("X-RateLimit-Resource", "core")
	},
}
