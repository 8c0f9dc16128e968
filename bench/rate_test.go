package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

const (
	limitPerSecond = 50
	limitBurst     = 10
)

// reader returns a function that reads the account with a new client.
type reader struct {
	name    string
	headers bool // the server reports its limit in headers
	slow    bool // too slow for many calls
	read    func(*whozextest.Server) func(context.Context) error
}

var readers = []reader{
	{name: "whozex", read: whozexReader()},
	{name: "whozex, limit reported", headers: true, read: whozexReader()},
	{name: "whozex WithLimiter", read: whozexReader(whozex.WithLimiter(rate.NewLimiter(0.95*limitPerSecond, 1)))},
	{name: "go-retryablehttp", slow: true, read: retryablehttpReader},
}

func whozexReader(opts ...whozex.Option) func(*whozextest.Server) func(context.Context) error {
	return func(server *whozextest.Server) func(context.Context) error {
		client := server.Client(append(opts, whozex.WithMaxRetries(10))...)
		return func(ctx context.Context) error {
			_, err := client.GetAccount(ctx)
			return err
		}
	}
}

func retryablehttpReader(server *whozextest.Server) func(context.Context) error {
	client := retryablehttp.NewClient()
	client.Logger, client.RetryMax = nil, 100
	return func(ctx context.Context) error {
		req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/account", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+server.APIKey)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		return errors.Join(status(resp), resp.Body.Close())
	}
}

func newLimitedServer(headers bool) *whozextest.Server {
	opts := []whozextest.Option{whozextest.WithRateLimit(limitPerSecond, limitBurst)}
	if headers {
		opts = append(opts, whozextest.WithRateLimitHeaders(whozextest.RateLimitHeadersIETF))
	}
	return whozextest.NewServer(opts...)
}

// BenchmarkRateLimit makes reading calls from 16 goroutines. The server allows 50 per
// second with a burst of 10, and a 429 has Retry-After: 1.
//
//	of-possible  the rate reached, as a fraction of the limit
//	refused      429 responses per call
func BenchmarkRateLimit(b *testing.B) {
	for _, calls := range []int{300, 1500} {
		for _, r := range readers {
			if r.slow && calls > 300 {
				continue
			}
			b.Run(fmt.Sprintf("calls=%d/%s", calls, r.name), func(b *testing.B) {
				for b.Loop() {
					server := newLimitedServer(r.headers)
					read := r.read(server)
					duration := runConcurrently(b, 16, calls, func(int) error { return read(b.Context()) })
					b.ReportMetric(float64(calls)/duration.Seconds()/limitPerSecond, "of-possible")
					b.ReportMetric(float64(len(server.RequestLog())-calls)/float64(calls), "refused")
					server.Close()
				}
			})
		}
	}
}

// sharedFor must be minutes: clients need that long to find their shares.
var sharedFor = flag.Duration("shared", 0, "how long 8 clients share a limit in BenchmarkSharedRateLimit; 5m for docs/ratelimit.md")

// BenchmarkSharedRateLimit runs 8 clients with one key and 4 goroutines each, for the
// duration of -shared, against the limit of BenchmarkRateLimit.
//
//	of-possible  the total rate reached, as a fraction of the limit
//	refused      429 responses per call
//	slowest      calls of the slowest client, as a fraction of those of the fastest
func BenchmarkSharedRateLimit(b *testing.B) {
	if *sharedFor == 0 {
		b.Skip("-shared is not set")
	}
	const clients, goroutines = 8, 4
	for _, r := range readers {
		if r.slow || r.name == "whozex WithLimiter" {
			continue
		}
		b.Run(r.name, func(b *testing.B) {
			for b.Loop() {
				server := newLimitedServer(r.headers)
				var calls [clients]atomic.Int64
				var group sync.WaitGroup
				start := time.Now()
				for i := range calls {
					read := r.read(server)
					for range goroutines {
						group.Go(func() {
							for time.Since(start) < *sharedFor {
								if err := read(b.Context()); err != nil {
									b.Error(err)
									return
								}
								calls[i].Add(1)
							}
						})
					}
				}
				group.Wait()
				duration := time.Since(start)
				var each []int64
				var total int64
				for i := range calls {
					n := calls[i].Load()
					each, total = append(each, n), total+n
				}
				b.ReportMetric(float64(total)/duration.Seconds()/limitPerSecond, "of-possible")
				b.ReportMetric(float64(int64(len(server.RequestLog()))-total)/float64(total), "refused")
				b.ReportMetric(float64(slices.Min(each))/float64(slices.Max(each)), "slowest")
				server.Close()
			}
		})
	}
}
