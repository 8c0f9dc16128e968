package bench

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/whozex/whozex-go"
)

// BenchmarkHeapOfWalk walks the sandbox's users and reports the highest live
// heap seen on the way, above that before it.
func BenchmarkHeapOfWalk(b *testing.B) {
	for _, prefetch := range []int{0, 8} {
		for _, users := range []int{10_000, 1_000_000} {
			b.Run(fmt.Sprintf("prefetch=%d/users=%d", prefetch, users), func(b *testing.B) {
				client := sandbox(b, users)
				var peak uint64
				for b.Loop() {
					before, read := liveHeap(), 0
					for _, err := range client.AllUsers(b.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
						if err != nil {
							b.Fatal(err)
						}
						// In the middle of a page, at a hundred places of the walk.
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
