package bench

import (
	"fmt"
	"slices"
	"testing"
)

func TestZRatio(t *testing.T) {
	ss := sites(t, "http://127.0.0.1", api)[:3]
	runs := make([][]float64, 3)
	for range 6000 {
		for i, s := range ss {
			runs[i] = append(runs[i], nanoseconds(40, func() {
				if _, err := s.account(t.Context()); err != nil {
					t.Fatal(err)
				}
			}))
		}
	}
	for i := range runs {
		slices.Sort(runs[i])
	}
	q := func(i int, f float64) float64 { return runs[i][int(f*6000)] }
	for _, f := range []float64{0.02, 0.25, 0.5} {
		fmt.Printf("q%.2f: hand %.0f ours %.0f  ratio %.3f retryable %.3f\n", f, q(0, f), q(1, f), q(1, f)/q(0, f), q(2, f)/q(0, f))
	}
	mean := func(i int) (m float64) {
		for _, x := range runs[i][:5900] {
			m += x
		}
		return m / 5900
	}
	fmt.Printf("mean ours/hand %.3f\n", mean(1)/mean(0))
}
