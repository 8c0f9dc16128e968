package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const meta = `{"timestamp":"2025-01-01T12:00:00.000Z","version":"1.0.0"}`

// userList is a server with any number of users. It generates each page when it is
// requested, so that it needs no memory.
type userList struct {
	total   int
	latency time.Duration
}

func (l userList) page(page, limit int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"success":true,"data":{"users":[`)
	for i, last := (page-1)*limit, min(page*limit, l.total); i < last; i++ {
		fmt.Fprintf(&body, `{"id":"00000000-0000-4000-8000-%012d","name":"User %d","email":"user%d@example.com","balance":12.50,"package_count":1,"created_at":"2025-01-01T12:00:00.000Z"}`, i, i, i)
		if i < last-1 {
			body.WriteByte(',')
		}
	}
	count := (l.total + limit - 1) / limit
	fmt.Fprintf(&body, `],"pagination":{"total":%d,"page":%d,"limit":%d,"pages":%d,"has_next":%t,"has_prev":%t}},"meta":%s}`,
		l.total, page, limit, count, page < count, page > 1, meta)
	return body.Bytes()
}

func (l userList) pageFor(r *http.Request) []byte {
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	return l.page(page, limit)
}

func (l userList) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(l.latency) // a server that takes time
	_, _ = w.Write(l.pageFor(r))
}

// BenchmarkIteratePages iterates over pages that take 20 ms each, over loopback, with a
// consumer that needs time for each page or none. of-serial is the ratio to the time
// without Prefetch.
func BenchmarkIteratePages(b *testing.B) {
	const latency = 20 * time.Millisecond
	for _, pages := range []int{40, 100} {
		for _, work := range []time.Duration{0, latency} {
			var serial time.Duration
			for _, prefetch := range []int{0, 1, 8} {
				b.Run(fmt.Sprintf("pages=%d/work=%s/prefetch=%d", pages, work, prefetch), func(b *testing.B) {
					srv := httptest.NewServer(userList{total: 100 * pages, latency: latency})
					defer srv.Close()
					client, err := whozex.New(apiKey, whozex.WithBaseURL(srv.URL))
					require.NoError(b, err)
					defer client.CloseIdleConnections()
					for b.Loop() {
						read := 0
						for _, err := range client.AllUsers(b.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
							if err != nil {
								b.Fatal(err)
							}
							if read++; read%100 == 0 && work > 0 {
								time.Sleep(work) // a reader that takes time
							}
						}
						if read != 100*pages {
							b.Fatalf("%d users", read)
						}
					}
					duration := b.Elapsed() / time.Duration(b.N)
					if prefetch == 0 {
						serial = duration
					}
					b.ReportMetric(duration.Seconds()*1000/float64(pages), "ms/page")
					if serial > 0 {
						b.ReportMetric(float64(duration)/float64(serial), "of-serial")
					}
				})
			}
		}
	}
}

// BenchmarkIterateHeap iterates over all users of a fake server and reports the highest
// growth of the live heap.
func BenchmarkIterateHeap(b *testing.B) {
	for _, prefetch := range []int{0, 8} {
		for _, users := range []int{10_000, 1_000_000} {
			b.Run(fmt.Sprintf("prefetch=%d/users=%d", prefetch, users), func(b *testing.B) {
				client := startSandbox(b, users)
				var peak uint64
				for b.Loop() {
					before, read := liveHeap(), 0
					for _, err := range client.AllUsers(b.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
						if err != nil {
							b.Fatal(err)
						}
						// Measure a hundred times, in the middle of a page.
						if read++; read%(users/100) == users/200 {
							if now := liveHeap(); now > before {
								peak = max(peak, now-before)
							}
						}
					}
					if read != users {
						b.Fatalf("%d users", read)
					}
				}
				b.ReportMetric(float64(peak), "peak-live-B")
			})
		}
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
