package whozex

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type instantly string

func (body instantly) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)),
	}, nil
}

// BenchmarkLimiterWithout429 measures the cost of the limiter without 429s, relative to
// the cheapest call: one that stays in the process.
func BenchmarkLimiterWithout429(b *testing.B) {
	client, err := New("wx_live_example", WithHTTPClient(&http.Client{
		Transport: instantly(`{"success":true,"data":{"id":"r1","balance":150.00,"stats":{"total_spent":0}}}`),
	}))
	if err != nil {
		b.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Content-Length": {"54"}, "Date": {"Thu, 01 Jan 2026 00:00:00 GMT"}}
	var calls, limiter time.Duration
	for b.Loop() {
		const batch = 1000
		start := time.Now()
		for range batch {
			if _, err := client.GetAccount(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		calls += time.Since(start)
		start = time.Now()
		for range batch {
			e, err := client.transport.limiter.wait(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			client.transport.limiter.observe(e, http.StatusOK, header)
		}
		limiter += time.Since(start)
	}
	b.ReportMetric(float64(limiter)/float64(calls), "of-call")
}
