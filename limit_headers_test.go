package whozex_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// inTwoMinutes is two minutes after the start of a synctest bubble, in seconds
// since 1970.
const inTwoMinutes = "946684920"

// longPolicy is a policy with more members than the client parses.
var endless = strings.Repeat(`"other";q=1;w=1,`, 1000)

func TestRateLimit_Headers(t *testing.T) {
	minute := whozex.RateLimit{Source: whozex.RateLimitReported, Limit: 100, Remaining: 50, Window: time.Minute}
	tests := []struct {
		name   string
		header []string
		want   whozex.RateLimit
		reset  time.Duration // from now
	}{
		{name: "IETF draft", header: []string{"RateLimit-Policy", `"default";q=100;w=60`, "RateLimit", `"default";r=50;t=30`}, want: minute, reset: 30 * time.Second},
		{name: "IETF draft of express-rate-limit", header: []string{
			"RateLimit-Policy", `"100-in-1min"; q=100; w=60; pk=:ZTNiMGM0NDI5OGZj:`, "RateLimit", `"100-in-1min"; r=50; t=30`,
		}, want: minute, reset: 30 * time.Second},
		{name: "IETF draft, tokens for names", header: []string{"RateLimit-Policy", `default;q=100;w=60`, "RateLimit", `default;r=50;t=30`}, want: minute, reset: 30 * time.Second},
		{name: "IETF draft, no reset", header: []string{"RateLimit-Policy", `"default";q=100;w=60`, "RateLimit", `"default";r=50`}, want: minute},
		{name: "IETF draft, unit named", header: []string{"RateLimit-Policy", `"a";q=100;w=60;qu="requests"`, "RateLimit", `"a";r=50;t=30`}, want: minute, reset: 30 * time.Second},
		{name: "IETF draft, bytes", header: []string{"RateLimit-Policy", `"a";q=100;w=60;qu="content-bytes"`, "RateLimit", `"a";r=50;t=30`}},
		{name: "IETF draft, the tightest of two", header: []string{
			"RateLimit-Policy", `"day";q=1000000;w=86400, "minute";q=100;w=60`, "RateLimit", `"day";r=999999;t=80000, "minute";r=50;t=30`,
		}, want: minute, reset: 30 * time.Second},
		{name: "IETF draft, policy of another name", header: []string{"RateLimit-Policy", `"a";q=100;w=60`, "RateLimit", `"b";r=50;t=30`}},
		{name: "IETF draft, policy alone", header: []string{"RateLimit-Policy", `"a";q=100;w=60`}},
		{name: "IETF draft, endless", header: []string{"RateLimit-Policy", endless + `"a";q=100;w=60`, "RateLimit", `"a";r=50;t=30`}},
		{name: "draft 7", header: []string{"RateLimit-Policy", "100;w=60", "RateLimit", "limit=100, remaining=50, reset=30"}, want: minute, reset: 30 * time.Second},
		{name: "draft 6", header: []string{
			"RateLimit-Policy", "100;w=60", "RateLimit-Limit", "100", "RateLimit-Remaining", "50", "RateLimit-Reset", "30",
		}, want: minute, reset: 30 * time.Second},
		{name: "draft 6, policy in the limit", header: []string{
			"RateLimit-Limit", "100, 100;w=60, 1000;w=86400", "RateLimit-Remaining", "50", "RateLimit-Reset", "30",
		}, want: minute, reset: 30 * time.Second},
		{name: "draft 6 without a reset", header: []string{"RateLimit-Policy", "100;w=60", "RateLimit-Limit", "100", "RateLimit-Remaining", "50"}, want: minute},
		{name: "Kong", header: []string{
			"RateLimit-Limit", "100", "RateLimit-Remaining", "50", "RateLimit-Reset", "60",
			"X-RateLimit-Limit-Minute", "100", "X-RateLimit-Remaining-Minute", "50",
		}, want: minute, reset: time.Minute},
		{name: "Envoy", header: []string{
			"X-RateLimit-Limit", `100, 100;w=60;name="per-key"`, "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", "30",
		}, want: minute, reset: 30 * time.Second},
		{name: "GitHub", header: []string{
			"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", inTwoMinutes,
		}, want: whozex.RateLimit{Source: whozex.RateLimitReported, Limit: 100, Remaining: 50, Window: 2 * time.Minute}, reset: 2 * time.Minute},
		{name: "time of the reset in milliseconds", header: []string{
			"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", inTwoMinutes + "999",
		}, want: whozex.RateLimit{Source: whozex.RateLimitReported, Limit: 100, Remaining: 50, Window: 2 * time.Minute}, reset: 2 * time.Minute},
		{name: "time of the reset by the server's clock", header: []string{
			"Date", "Sat, 01 Jan 2000 00:01:00 GMT",
			"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", inTwoMinutes,
		}, want: minute, reset: time.Minute},
		{name: "standard before X", header: []string{
			"RateLimit-Limit", "100", "RateLimit-Remaining", "50", "RateLimit-Reset", "60",
			"X-RateLimit-Limit", "7", "X-RateLimit-Remaining", "7", "X-RateLimit-Reset", "7",
		}, want: minute, reset: time.Minute},
		{name: "X where standard makes no sense", header: []string{
			"RateLimit-Limit", "0", "RateLimit-Remaining", "50", "RateLimit-Reset", "60",
			"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", "60",
		}, want: minute, reset: time.Minute},
		{name: "none", header: nil},
		{name: "limit 0", header: []string{"X-RateLimit-Limit", "0", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "60"}},
		{name: "negative", header: []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "-1", "X-RateLimit-Reset", "60"}},
		{name: "reset in the past", header: []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", "1000000000", "Date", "Sun, 09 Sep 2001 01:47:00 GMT"}},
		{name: "reset in a century", header: []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", "4102444800"}},
		{name: "neither window nor reset", header: []string{"X-RateLimit-Limit", "100", "X-RateLimit-Remaining", "50"}},
		{name: "nothing remaining named", header: []string{"X-RateLimit-Limit", "100", "X-RateLimit-Reset", "60"}},
		{name: "text", header: []string{"X-RateLimit-Limit", "many", "X-RateLimit-Remaining", "some", "X-RateLimit-Reset", "soon"}},
		{name: "longer than any number", header: []string{"X-RateLimit-Limit", strings.Repeat("9", 300), "X-RateLimit-Remaining", "50", "X-RateLimit-Reset", "60"}},
		{name: "a reset that overflows", header: []string{"RateLimit-Policy", `"a";q=100;w=60`, "RateLimit", `"a";r=50;t=18446744104`}},
		{name: "a window of a century", header: []string{"RateLimit-Policy", `"a";q=100;w=3155760000`, "RateLimit", `"a";r=50;t=30`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := over(t, func(req *http.Request) (*http.Response, error) {
					return reply(req, 200, ok(everything), test.header...), nil
				})
				var resp whozex.Response
				_, err := client.GetAccount(t.Context(), whozex.CaptureResponse(&resp))
				require.NoError(t, err)
				assert.Equal(t, client.RateLimit(), resp.RateLimit)
				got := client.RateLimit()
				if test.reset > 0 {
					assert.Equal(t, test.reset, time.Until(got.Reset))
				} else {
					assert.Zero(t, got.Reset)
				}
				assert.Equal(t, test.want.Source == whozex.RateLimitReported, got.PerSecond > 0)
				got.Reset, got.PerSecond = time.Time{}, 0
				assert.Equal(t, test.want, got)
			})
		})
	}
}

func TestRateLimit_Reported(t *testing.T) {
	forms := []whozextest.RateLimitHeaders{
		whozextest.RateLimitHeadersIETF, whozextest.RateLimitHeadersDraft7, whozextest.RateLimitHeadersDraft6,
		whozextest.RateLimitHeadersKong, whozextest.RateLimitHeadersEnvoy, whozextest.RateLimitHeadersGitHub,
	}
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			server := whozextest.NewServer(whozextest.WithRateLimit(200, 20), whozextest.WithRateLimitHeaders(form))
			t.Cleanup(server.Close)
			client := server.Client()
			t.Cleanup(client.CloseIdleConnections)
			_, failed := callConcurrently(60, func() error {
				_, err := client.GetAccount(t.Context())
				return err
			})
			assert.Zero(t, failed)
			assert.Len(t, server.RequestLog(), 60, "no request is refused")
			limit := client.RateLimit()
			assert.Equal(t, whozex.RateLimitReported, limit.Source)
			assert.Equal(t, 200, limit.Limit)
		})
	}
}

func TestRateLimit_LearnedFrom429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := false
		client := over(t, func(req *http.Request) (*http.Response, error) {
			if refuse = !refuse; refuse {
				return reply(req, 429, "", "Retry-After", "2"), nil
			}
			return reply(req, 200, ok(everything)), nil
		}, whozex.WithMaxRetries(0))
		assert.Equal(t, whozex.RateLimit{}, client.RateLimit(), "nothing is known")
		var resp whozex.Response
		_, err := client.GetAccount(t.Context(), whozex.CaptureResponse(&resp))
		require.ErrorIs(t, err, whozex.ErrRateLimited)
		assert.Equal(t, whozex.RateLimit{Source: whozex.RateLimitLearned, PausedUntil: time.Now().Add(2 * time.Second)}, resp.RateLimit)
		_, err = client.GetAccount(t.Context(), whozex.CaptureResponse(&resp))
		require.NoError(t, err)
		assert.Equal(t, whozex.RateLimitLearned, resp.RateLimit.Source)
		assert.Positive(t, resp.RateLimit.PerSecond)
		assert.Zero(t, resp.RateLimit.PausedUntil)
	})
}
