package bench

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

// contender is one way of doing the work. run does it once and stops the
// benchmark when the result is wrong.
type contender struct {
	name string
	run  func()
}

// How long a batch is. Within the process it is long enough for the garbage
// collector to take its part; over loopback so short that both meet the same
// mood of the scheduler, which else makes a difference of a tenth.
const (
	computing = 2 * time.Millisecond
	talking   = 100 * time.Microsecond
)

// compare runs every contender beside the base, in alternating batches of about
// the same length, so that both meet the same weather. It reports
//
//	x-time    the median ratio of the batches' times to the base's
//	x-bytes   bytes allocated, as a ratio to the base's
//	x-allocs  allocations, as a ratio to the base's
//
// beside ns/op (the median batch), B/op and allocs/op, which are counted over
// calls of their own.
func compare(b *testing.B, length time.Duration, base contender, others ...contender) {
	baseBytes, baseAllocs := allocated(base.run)
	for _, c := range append([]contender{base}, others...) {
		b.Run(c.name, func(b *testing.B) {
			calls, baseCalls := callsWithin(length, c.run), callsWithin(length, base.run)
			var ratios, times []float64
			for first := true; b.Loop(); first = !first {
				var with, without float64
				if first {
					with, without = nanoseconds(calls, c.run), nanoseconds(baseCalls, base.run)
				} else {
					without, with = nanoseconds(baseCalls, base.run), nanoseconds(calls, c.run)
				}
				ratios = append(ratios, with/without)
				times = append(times, with)
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

// nanoseconds is what a call takes in a batch of them.
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

func callsWithin(d time.Duration, run func()) int {
	run()
	for calls := 1; ; calls *= 2 {
		if took := batch(calls, run); took > d/4 {
			return max(1, int(float64(calls)*float64(d)/float64(took)))
		}
	}
}

// allocated counts a call's bytes and allocations, as the median of some rounds:
// what a pool loses to the garbage collector is not the call's.
func allocated(run func()) (bytes, allocs float64) {
	const rounds = 9
	calls := min(100, callsWithin(20*time.Millisecond, run))
	var b, n []float64
	for range rounds {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		batch(calls, run)
		runtime.ReadMemStats(&after)
		b = append(b, float64(after.TotalAlloc-before.TotalAlloc)/float64(calls))
		n = append(n, float64(after.Mallocs-before.Mallocs)/float64(calls))
	}
	return median(b), median(n)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
