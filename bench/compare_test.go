package bench

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// contender is one implementation to compare. run runs it once and stops the benchmark
// if the result is wrong.
type contender struct {
	name string
	run  func()
}

// The lengths of a batch. In process a batch includes several cycles of the garbage
// collector: with a tenth of the length the ratio varies by 5%.
// Over loopback it is short, so that the scheduler affects both sides equally:
// with longer batches the ratio varies by 10%.
const (
	inProcessBatch = 20 * time.Millisecond
	loopbackBatch  = 100 * time.Microsecond
)

// compare runs each contender and the baseline in alternating batches of about the same
// length, so that other load on the machine affects both equally. It reports
//
//	x-time    the median ratio of the batches' times to the baseline's
//	x-bytes   bytes allocated, as a ratio to the baseline's
//	x-allocs  allocations, as a ratio to the baseline's
//
// and ns/op (the median batch), B/op and allocs/op, which are counted in separate
// calls.
func compare(b *testing.B, batchLength time.Duration, base contender, others ...contender) {
	baseBytes, baseAllocs := allocated(base.run)
	for _, c := range append([]contender{base}, others...) {
		b.Run(c.name, func(b *testing.B) {
			calls, baseCalls := callsWithin(batchLength, c.run), callsWithin(batchLength, base.run)
			var ratios, times []float64
			for first := true; b.Loop(); first = !first {
				var ns, baseNs float64
				if first {
					ns, baseNs = nanoseconds(calls, c.run), nanoseconds(baseCalls, base.run)
				} else {
					baseNs, ns = nanoseconds(baseCalls, base.run), nanoseconds(calls, c.run)
				}
				ratios = append(ratios, ns/baseNs)
				times = append(times, ns)
			}
			b.ReportAllocs()
			bytes, allocs := allocated(c.run)
			b.ReportMetric(median(times), "ns/op")
			b.ReportMetric(median(ratios), "x-time")
			b.ReportMetric(bytes, "B/op")
			b.ReportMetric(allocs, "allocs/op")
			if baseBytes > 0 {
				b.ReportMetric(bytes/baseBytes, "x-bytes")
				b.ReportMetric(allocs/baseAllocs, "x-allocs")
			}
		})
	}
}

// nanoseconds runs a batch and returns the time of one call.
func nanoseconds(calls int, run func()) float64 {
	return float64(batch(calls, run)) / float64(calls)
}

func batch(calls int, run func()) time.Duration {
	start := time.Now()
	for range calls {
		run()
	}
	return time.Since(start)
}

// callsWithin returns the number of calls that take about d.
func callsWithin(d time.Duration, run func()) int {
	run()
	for calls := 1; ; calls *= 2 {
		if duration := batch(calls, run); duration > d/4 {
			return max(1, int(float64(calls)*float64(d)/float64(duration)))
		}
	}
}

// allocated counts the bytes and allocations of a call. It returns the median of several
// rounds, to exclude rounds in which the garbage collector empties a pool.
func allocated(run func()) (bytes, allocs float64) {
	const rounds = 9
	calls := min(100, callsWithin(20*time.Millisecond, run))
	var byteCounts, allocCounts []float64
	for range rounds {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		batch(calls, run)
		runtime.ReadMemStats(&after)
		byteCounts = append(byteCounts, float64(after.TotalAlloc-before.TotalAlloc)/float64(calls))
		allocCounts = append(allocCounts, float64(after.Mallocs-before.Mallocs)/float64(calls))
	}
	return median(byteCounts), median(allocCounts)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
