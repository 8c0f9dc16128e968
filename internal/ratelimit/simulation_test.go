package ratelimit

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// system makes the clock that synctest replaces a Clock.
type system struct{}

func (system) Now() time.Time                         { return time.Now() }
func (system) After(d time.Duration) <-chan time.Time { return time.After(d) }

// world is one run of the simulation.
type world struct {
	kind       string
	rate       float64
	burst      int
	retryAfter int // of refusals, in seconds; -1 for none, -2 for what the counter knows
	reports    bool
	window     bool // the window is reported too
	clients    int
	callers    int // of each client
	latency    time.Duration
	requests   int
	least      time.Duration // the run goes on for at least as long
	change     float64       // of the rate, in the middle; 0 for none
}

func (w world) String() string {
	return fmt.Sprintf("%s %g/s burst %d retry-after %d reports %t clients %d callers %d latency %s requests %d change %g",
		w.kind, w.rate, w.burst, w.retryAfter, w.reports, w.clients, w.callers, w.latency, w.requests, w.change)
}

var kinds = map[string]func(rate float64, burst int, now time.Time) counter{
	"token bucket":   func(r float64, b int, now time.Time) counter { return newTokens(r, b, now) },
	"leaky bucket":   func(r float64, b int, now time.Time) counter { return newLeaky(r, b, now) },
	"fixed window":   func(r float64, b int, now time.Time) counter { return newFixed(r, b, now) },
	"sliding window": func(r float64, b int, now time.Time) counter { return newSliding(r, b, now) },
}

// result is what came of a run.
type result struct {
	goodput  float64 // admitted, of what was possible
	refusals float64 // for each request admitted
	slowest  float64 // client, as a part of the fastest
	took     time.Duration
}

// possible is how much the server and the callers allow in d.
func (w world) possible(d time.Duration) float64 {
	limit := w.rate
	if w.change > 0 {
		limit = w.rate * (1 + w.change) / 2
	}
	if w.latency > 0 {
		limit = min(limit, float64(w.clients*w.callers)/w.latency.Seconds())
	}
	return limit * d.Seconds()
}

func (w world) run(t *testing.T, newLaw func() law) (r result) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		began := time.Now()
		server := kinds[w.kind](w.rate, w.burst, began)
		admitted, refused, changed := make([]int, w.clients), 0, false
		total := 0
		var end time.Time
		done := func() bool {
			mu.Lock()
			defer mu.Unlock()
			if total >= w.requests && time.Since(began) >= w.least {
				if end.IsZero() {
					end = time.Now()
				}
				return true
			}
			return false
		}
		send := func(client int) Outcome {
			mu.Lock()
			defer mu.Unlock()
			now := time.Now()
			if w.change > 0 && !changed && total >= w.requests/2 && now.Sub(began) >= w.least/2 {
				changed = true
				server = kinds[w.kind](w.rate*w.change, w.burst, now)
			}
			var o Outcome
			ok, left := server.admit(now)
			if ok {
				admitted[client]++
				total++
			} else {
				refused++
				o.Refused = true
				switch w.retryAfter {
				case -1, 0:
				case -2:
					o.RetryAfter = up(left)
				default:
					o.RetryAfter = time.Duration(w.retryAfter) * time.Second
				}
			}
			if w.reports {
				q := server.quota(now)
				q.Reset = up(q.Reset)
				q.Window = up(q.Window)
				if !w.window {
					q.Window = 0
				}
				o.Quota = &q
			}
			return o
		}
		var group sync.WaitGroup
		for client := range w.clients {
			limiter := newLimiter(system{}, time.Minute, newLaw)
			for range w.callers {
				group.Go(func() {
					for !done() {
						pass, err := limiter.Wait(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(w.latency / 2)
						o := send(client)
						time.Sleep(w.latency - w.latency/2)
						limiter.Done(pass, o)
					}
				})
			}
		}
		group.Wait()
		r.took = end.Sub(began)
		require.Positive(t, r.took)
		lowest, highest := admitted[0], admitted[0]
		for _, n := range admitted {
			lowest, highest = min(lowest, n), max(highest, n)
		}
		r.goodput = float64(total) / w.possible(r.took)
		r.refusals = float64(refused) / float64(total)
		r.slowest = float64(lowest) / float64(highest)
	})
	return r
}

func TestScratch(t *testing.T) {
	cub := func() law { return new(cubic) }
	base := world{kind: "token bucket", rate: 50, burst: 10, retryAfter: 1, clients: 1, callers: 16, latency: 2 * time.Millisecond}
	type try struct {
		k, m                int
		beta, g, fast, down float64
	}
	tries := []try{
		{4, 20, .95, 0, 1, .7}, {4, 20, .95, .3, 1, .7}, {4, 20, .95, .5, 1, .7}, {4, 20, .95, .3, 1, .8}, {4, 20, .95, .5, 1, .8}, {4, 20, .95, .5, 1, .6}, {4, 20, .95, .7, 1, .6}, {4, 20, .95, .7, 1, .5}, {4, 20, .95, 1, 1, .5},
	}
	for _, tr := range tries {
		leastK, mostK, beta, growth, fast, down = tr.k, tr.m, tr.beta, tr.g, tr.fast, tr.down
		line := fmt.Sprint(tr)
		for _, n := range []int{300, 1500, 5000} {
			w := base
			w.requests = n
			r := w.run(t, cub)
			line += fmt.Sprintf("  %d %.3f %.4f", n, r.goodput, r.refusals)
		}
		for _, n := range []int{3000, 6000, 18000} {
			good, ref, sl := 0.0, 0.0, 0.0
			for _, callers := range []int{1, 1, 2, 3, 4, 4, 6, 8, 16, 16} {
				w := base
				w.clients, w.callers, w.requests = 8, callers, n
				r := w.run(t, cub)
				good, ref, sl = good+r.goodput/10, ref+r.refusals/10, sl+r.slowest/10
			}
			line += fmt.Sprintf("  8x %.3f %.3f s%.2f", good, ref, sl)
		}
		low, sum, n := "", 0.0, 0
		t.Log(line)
		line = ""
		for kind := range kinds {
			if os.Getenv("GRID") == "" {
				continue
			}
			for _, rate := range []float64{1, 10, 50, 500} {
				for _, burst := range []int{1, 10, 100} {
					for _, ra := range []int{-1, 1, 60, -2} {
						w := base
						w.kind, w.rate, w.burst, w.retryAfter = kind, rate, burst, ra
						w.requests, w.least = 1500, time.Minute
						if ra == 60 {
							w.least = 60 * time.Minute
							if rate > 100 {
								continue
							}
						}
						if os.Getenv("GRID") == "" && ra == 60 {
							continue
						}
						r := w.run(t, cub)
						sum += r.goodput
						n++
						if r.goodput < 0.62 {
							low += fmt.Sprintf("\n\t%-14s %3g/s burst %3d ra %2d  %.3f %.4f", kind, rate, burst, ra, r.goodput, r.refusals)
						}
					}
				}
			}
		}
		t.Log(line, sum/float64(n), low)
	}
}
