package bench

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whozex/whozex-go/whozextest"
)

// startCounting serves a handler and counts the connections to it.
func startCounting(b *testing.B, handler http.Handler) (url string, connections *atomic.Int64) {
	b.Helper()
	connections = new(atomic.Int64)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	b.Cleanup(server.Close)
	return server.URL, connections
}

// runConcurrently makes calls from several goroutines and returns the total time.
func runConcurrently(b *testing.B, goroutines, calls int, call func(i int) error) time.Duration {
	b.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for range goroutines {
		group.Go(func() {
			for i := int(next.Add(1)); i <= calls; i = int(next.Add(1)) {
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(start)
}

const goroutines = 64

// BenchmarkLoad makes calls from 64 goroutines to a server that responds at once. The
// rounds of each contender alternate with those of go-retryablehttp. Each uses its own
// default connection pool.
//
//	x-retryable  calls per second, as a ratio to those of go-retryablehttp
//	conns        connections opened for 10,000 calls
func BenchmarkLoad(b *testing.B) {
	const calls = 10_000
	round := func(b *testing.B, name string) (perSecond, connections float64) {
		url, opened := startCounting(b, api)
		for _, s := range sites(b, url, nil) {
			if s.name == name {
				duration := runConcurrently(b, goroutines, calls, func(int) error {
					_, err := s.account(b.Context())
					return err
				})
				return calls / duration.Seconds(), float64(opened.Load())
			}
		}
		panic(name)
	}
	for _, s := range sites(b, "http://127.0.0.1", nil) {
		b.Run(s.name, func(b *testing.B) {
			var ratios, rates, opened []float64
			for b.Loop() {
				rate, connections := round(b, s.name)
				base, _ := round(b, "go-retryablehttp")
				ratios, rates, opened = append(ratios, rate/base), append(rates, rate), append(opened, connections)
			}
			b.ReportMetric(median(ratios), "x-retryable")
			b.ReportMetric(median(rates), "calls/s")
			b.ReportMetric(median(opened), "conns")
		})
	}
}

// BenchmarkConnections counts the connections of 500 sequential calls with chunked
// responses, and of concurrent calls of which one in a hundred is cancelled.
func BenchmarkConnections(b *testing.B) {
	chunked := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body := api["/users"]
		for len(body) > 0 {
			n := min(len(body), 4096)
			_, _ = w.Write(body[:n])
			_ = http.NewResponseController(w).Flush()
			body = body[n:]
		}
	})
	for i, s := range sites(b, "http://127.0.0.1", nil) {
		b.Run("chunked/"+s.name, func(b *testing.B) {
			for b.Loop() {
				url, opened := startCounting(b, chunked)
				site := sites(b, url, nil)[i]
				for page := range 500 {
					if _, err := site.users(b.Context(), page+1); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(opened.Load()), "conns")
			}
		})
	}
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Millisecond) // a server that takes time, so that calls overlap
		api.ServeHTTP(w, r)
	})
	for i, s := range sites(b, "http://127.0.0.1", nil) {
		b.Run("cancelled/"+s.name, func(b *testing.B) {
			for b.Loop() {
				url, opened := startCounting(b, slow)
				site := sites(b, url, nil)[i]
				runConcurrently(b, goroutines, 10_000, func(i int) error {
					ctx, cancel := context.WithCancel(b.Context())
					defer cancel()
					if i%100 == 0 {
						stop := time.AfterFunc(500*time.Microsecond, cancel)
						defer stop.Stop()
					}
					if _, err := site.account(ctx); err != nil && ctx.Err() == nil {
						return err
					}
					return nil
				})
				b.ReportMetric(float64(opened.Load()), "conns")
			}
		})
	}
}

// BenchmarkSandbox measures how many calls per second the fake server handles.
func BenchmarkSandbox(b *testing.B) {
	server := whozextest.NewServer()
	defer server.Close()
	client := server.Client()
	for b.Loop() {
		const calls = 5_000
		duration := runConcurrently(b, goroutines, calls, func(int) error {
			_, err := client.GetAccount(b.Context())
			return err
		})
		b.ReportMetric(calls/duration.Seconds(), "calls/s")
	}
}
