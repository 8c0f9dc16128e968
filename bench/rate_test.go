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

// reader reads the account, by a client of its own each.
type reader struct {
	name    string
	headers bool // the sandbox reports its limit
	slow    bool // too slow for more than a few calls
	read    func(*whozextest.Server) func(context.Context) error
}

var readers = []reader{
	{name: "whozex", read: reading()},
	{name: "whozex, limit reported", headers: true, read: reading()},
	{name: "whozex WithLimiter", read: reading(whozex.WithLimiter(rate.NewLimiter(0.95*limitPerSecond, 1)))},
	{name: "go-retryablehttp", slow: true, read: readingByRetryablehttp},
}

func reading(opts ...whozex.Option) func(*whozextest.Server) func(context.Context) error {
	return func(server *whozextest.Server) func(context.Context) error {
		client := server.Client(append(opts, whozex.WithMaxRetries(10))...)
		return func(ctx context.Context) error {
			_, err := client.GetAccount(ctx)
			return err
		}
	}
}

func readingByRetryablehttp(server *whozextest.Server) func(context.Context) error {
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

func limited(headers bool) *whozextest.Server {
	opts := []whozextest.Option{whozextest.WithRateLimit(limitPerSecond, limitBurst)}
	if headers {
		opts = append(opts, whozextest.WithRateLimitHeaders(whozextest.RateLimitHeadersIETF))
	}
	return whozextest.NewServer(opts...)
}

// BenchmarkRateLimit is reads from 16 goroutines against a limit of 50 a second
// with a burst of 10, where a 429 says Retry-After: 1.
//
//	of-possible  the rate reached, as a part of the limit's
//	refused      429 responses for each call
func BenchmarkRateLimit(b *testing.B) {
	for _, calls := range []int{300, 1500} {
		for _, r := range readers {
			if r.slow && calls > 300 {
				continue
			}
			b.Run(fmt.Sprintf("calls=%d/%s", calls, r.name), func(b *testing.B) {
				for b.Loop() {
					server := limited(r.headers)
					read := r.read(server)
					took := atOnce(b, 16, calls, func(int) error { return read(b.Context()) })
					b.ReportMetric(float64(calls)/took.Seconds()/limitPerSecond, "of-possible")
					b.ReportMetric(float64(len(server.RequestLog())-calls)/float64(calls), "refused")
					server.Close()
				}
			})
		}
	}
}

// sharedFor is long: clients take minutes to find their shares.
var sharedFor = flag.Duration("shared", 0, "how long 8 clients share a limit in BenchmarkSharedRateLimit; 5m for docs/ratelimit.md")

// BenchmarkSharedRateLimit is 8 clients with one key for -shared, each of 4
// goroutines, against the limit of BenchmarkRateLimit.
//
//	of-possible  the rate reached together, as a part of the limit's
//	refused      429 responses for each call
//	slowest      calls of the slowest client, as a part of the fastest's
func BenchmarkSharedRateLimit(b *testing.B) {
	if *sharedFor == 0 {
		b.Skip("-shared gives no time")
	}
	const clients, goroutines = 8, 4
	for _, r := range readers {
		if r.slow || r.name == "whozex WithLimiter" {
			continue
		}
		b.Run(r.name, func(b *testing.B) {
			for b.Loop() {
				server := limited(r.headers)
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
				took := time.Since(start)
				var each []int64
				var total int64
				for i := range calls {
					n := calls[i].Load()
					each, total = append(each, n), total+n
				}
				b.ReportMetric(float64(total)/took.Seconds()/limitPerSecond, "of-possible")
				b.ReportMetric(float64(int64(len(server.RequestLog()))-total)/float64(total), "refused")
				b.ReportMetric(float64(slices.Min(each))/float64(slices.Max(each)), "slowest")
				server.Close()
			}
		})
	}
}
