package whozex_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// library answers with any number of users, made up page by page, so that the
// server's memory is none.
type library struct {
	total   int
	latency time.Duration
}

func (l library) page(page, limit int) []byte {
	var body bytes.Buffer
	body.WriteString(`{"success":true,"data":{"users":[`)
	for i, last := (page-1)*limit, min(page*limit, l.total); i < last; i++ {
		fmt.Fprintf(&body, `{"id":"00000000-0000-4000-8000-%012d","name":"User %d","email":"user%d@example.com","balance":12.50,"package_count":1,"created_at":"2025-01-01T12:00:00.000Z"}`, i, i, i)
		if i < last-1 {
			body.WriteByte(',')
		}
	}
	count := pagesOf(l.total, limit)
	fmt.Fprintf(&body, `],"pagination":{"total":%d,"page":%d,"limit":%d,"pages":%d,"has_next":%t,"has_prev":%t}},"meta":%s}`,
		l.total, page, limit, count, page < count, page > 1, testMeta)
	return body.Bytes()
}

func (l library) asked(r *http.Request) []byte {
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	return l.page(page, limit)
}

func (l library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(l.latency)
	_, _ = w.Write(l.asked(r))
}

// BenchmarkWalkPages walks pages that take 20 ms each over loopback HTTP, with a
// reader that takes its time or none. of-serial is the time against that of a
// walk without Prefetch.
func BenchmarkWalkPages(b *testing.B) {
	const latency = 20 * time.Millisecond
	for _, pages := range []int{40, 100} {
		for _, work := range []time.Duration{0, latency} {
			var serial time.Duration
			for _, prefetch := range []int{0, 1, 8} {
				b.Run(fmt.Sprintf("pages=%d/work=%s/prefetch=%d", pages, work, prefetch), func(b *testing.B) {
					srv := httptest.NewServer(library{total: 100 * pages, latency: latency})
					defer srv.Close()
					client, err := whozex.New(testKey, whozex.WithBaseURL(srv.URL))
					require.NoError(b, err)
					defer client.CloseIdleConnections()
					for b.Loop() {
						read := 0
						for _, err := range client.AllUsers(b.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
							if err != nil {
								b.Fatal(err)
							}
							if read++; read%100 == 0 && work > 0 {
								time.Sleep(work)
							}
						}
						if read != 100*pages {
							b.Fatalf("%d users", read)
						}
					}
					walk := b.Elapsed() / time.Duration(b.N)
					if prefetch == 0 {
						serial = walk
					}
					b.ReportMetric(walk.Seconds()*1000/float64(pages), "ms/page")
					if serial > 0 {
						b.ReportMetric(float64(walk)/float64(serial), "of-serial")
					}
				})
			}
		}
	}
}
