package whozextest

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRateLimitHeaders(t *testing.T) {
	tests := []struct {
		form RateLimitHeaders
		want map[string]string // of the first response
	}{
		{form: RateLimitHeadersIETF, want: map[string]string{
			"RateLimit-Policy": `"default"; q=2; w=4; pk=:ZTNiMGM0NDI5OGZj:`, "RateLimit": `"default"; r=1; t=2`,
		}},
		{form: RateLimitHeadersDraft7, want: map[string]string{
			"RateLimit-Policy": "2;w=4", "RateLimit": "limit=2, remaining=1, reset=2",
		}},
		{form: RateLimitHeadersDraft6, want: map[string]string{
			"RateLimit-Policy": "2;w=4", "RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "2",
		}},
		{form: RateLimitHeadersKong, want: map[string]string{
			"RateLimit-Limit": "2", "RateLimit-Remaining": "1", "RateLimit-Reset": "2",
		}},
		{form: RateLimitHeadersEnvoy, want: map[string]string{
			"X-RateLimit-Limit": "2, 2;w=4", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "2",
		}},
		{form: RateLimitHeadersGitHub, want: map[string]string{
			"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1", "X-RateLimit-Used": "1", "X-RateLimit-Resource": "core",
		}},
	}
	for _, test := range tests {
		t.Run(string(test.form), func(t *testing.T) {
			s := start(t, WithRateLimit(0.5, 2), WithRateLimitHeaders(test.form))
			r := do(t, s, http.MethodGet, "/account", "")
			for name, value := range test.want {
				assert.Equal(t, value, r.header.Get(name), name)
			}
			if test.form == RateLimitHeadersGitHub {
				reset, err := strconv.ParseInt(r.header.Get("X-RateLimit-Reset"), 10, 64)
				require.NoError(t, err)
				assert.WithinDuration(t, time.Now().Add(2*time.Second), time.Unix(reset, 0), 2*time.Second)
			}
		})
	}
	t.Run("with a refusal", func(t *testing.T) {
		s := start(t, WithRateLimit(0.01, 1), WithRateLimitHeaders(RateLimitHeadersDraft6))
		do(t, s, http.MethodGet, "/account", "")
		r := do(t, s, http.MethodGet, "/account", "")
		assert.Equal(t, http.StatusTooManyRequests, r.status)
		assert.Equal(t, "0", r.header.Get("RateLimit-Remaining"))
	})
	t.Run("second", func(t *testing.T) {
		s := start(t, WithRateLimit(50, 10), WithRateLimitHeaders(RateLimitHeadersKong))
		r := do(t, s, http.MethodGet, "/account", "")
		assert.Equal(t, "50", r.header.Get("X-RateLimit-Limit-Second"))
		assert.Equal(t, "9", r.header.Get("X-RateLimit-Remaining-Second"))
	})
	t.Run("none", func(t *testing.T) {
		s := start(t, WithRateLimit(50, 10))
		for name := range do(t, s, http.MethodGet, "/account", "").header {
			assert.NotContains(t, name, "Ratelimit")
		}
	})
}
