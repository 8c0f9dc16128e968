package ratelimit

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	absent    = -1 // no Retry-After
	asCounted = -2 // what the counter knows, rounded up
)

// world is one run of the simulation.
type world struct {
	kind       string
	rate       float64
	burst      int
	retryAfter int // of refusals, in seconds, or one of the constants below
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

// client makes requests with one key.
type client interface {
	request(ctx context.Context, send func() Outcome) error
}

type limited struct{ *Limiter }

func (l limited) request(ctx context.Context, send func() Outcome) error {
	pass, err := l.Wait(ctx)
	if err == nil {
		l.Done(pass, send())
	}
	return err
}

// by returns clients that keep to a law.
func by(newLaw func() law) func() client {
	return func() client { return limited{newLimiter(System{}, time.Minute, newLaw)} }
}

var byCubic = by(newCubic)

func newCubic() law { return new(cubic) }

// result is what came of a run.
type result struct {
	goodput  float64 // admitted, of what was possible
	refusals float64 // for each request admitted
	slowest  float64 // client, as a part of the fastest
	took     time.Duration
}

// possible is how much the server and the callers allow in d, at rate.
func (w world) possible(rate float64, d time.Duration) float64 {
	if w.latency > 0 {
		rate = min(rate, float64(w.clients*w.callers)/w.latency.Seconds())
	}
	return rate * d.Seconds()
}

// ideal is the time that the requests take at the rate of the server.
func (w world) ideal() time.Duration {
	return time.Duration(float64(w.requests) / w.possible(w.rate, time.Second) * float64(time.Second))
}

func (w world) run(t *testing.T, newClient func() client) (r result) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		began := time.Now()
		server := kinds[w.kind](w.rate, w.burst, began)
		admitted, refused, total := make([]int, w.clients), 0, 0
		var changed, end time.Time
		done := func() bool {
			mu.Lock()
			defer mu.Unlock()
			elapsed := time.Since(began)
			hopeless := max(w.least, 10*w.ideal())
			if total >= w.requests && elapsed >= w.least || elapsed > hopeless {
				if end.IsZero() {
					end = time.Now()
				}
				return true
			}
			return false
		}
		send := func(number int) Outcome {
			time.Sleep(w.latency / 2)                 // of a virtual clock
			defer time.Sleep(w.latency - w.latency/2) // of a virtual clock
			mu.Lock()
			defer mu.Unlock()
			if !end.IsZero() {
				return Outcome{} // counts no more
			}
			now := time.Now()
			if w.change > 0 && changed.IsZero() && total >= w.requests/2 && now.Sub(began) >= w.least/2 {
				changed = now
				server = kinds[w.kind](w.rate*w.change, w.burst, now)
			}
			var o Outcome
			ok, left := server.admit(now)
			if ok {
				admitted[number]++
				total++
			} else {
				refused++
				o.Refused = true
				switch w.retryAfter {
				case absent, 0:
				case asCounted:
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
		for number := range w.clients {
			c := newClient()
			for range w.callers {
				group.Go(func() {
					for !done() {
						if err := c.request(t.Context(), func() Outcome { return send(number) }); err != nil {
							t.Error(err)
							return
						}
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
		possible := w.possible(w.rate, r.took)
		if w.change > 0 {
			possible = w.possible(w.rate, changed.Sub(began)) + w.possible(w.rate*w.change, end.Sub(changed))
		}
		r.goodput = float64(total) / possible
		r.refusals = float64(refused) / float64(total)
		r.slowest = float64(lowest) / float64(highest)
	})
	return r
}

// sandbox is the limit that the figures in the documentation are for.
func sandbox(requests int) world {
	return world{
		kind: "token bucket", rate: 50, burst: 10, retryAfter: 1,
		clients: 1, callers: 16, latency: 2 * time.Millisecond, requests: requests,
	}
}

// eight are 8 clients that share the limit of the sandbox, for five minutes.
func eight() world {
	w := sandbox(15000)
	w.clients, w.callers = 8, 4
	return w
}

func TestEightClientsShareALimit(t *testing.T) {
	r := eight().run(t, byCubic)
	t.Logf("goodput %.2f, %.3f refused, slowest %.2f of the fastest", r.goodput, r.refusals, r.slowest)
	assert.GreaterOrEqual(t, r.goodput, 0.80)
	assert.GreaterOrEqual(t, r.slowest, 0.50)
}

func TestARateThatIsReportedIsKeptTo(t *testing.T) {
	w := sandbox(1500)
	w.reports, w.window = true, true
	r := w.run(t, byCubic)
	t.Logf("goodput %.3f, %.4f refused", r.goodput, r.refusals)
	assert.GreaterOrEqual(t, r.goodput, 0.95)
	assert.LessOrEqual(t, r.refusals, 0.001)
}

func TestARateIsLearnedFromRefusals(t *testing.T) {
	tests := []struct {
		requests          int
		goodput, refusals float64
	}{
		{requests: 300, goodput: 0.70, refusals: 0.08},
		{requests: 1500, goodput: 0.88, refusals: 0.01},
		{requests: 5000, goodput: 0.92, refusals: 0.005},
	}
	for _, test := range tests {
		r := sandbox(test.requests).run(t, byCubic)
		t.Logf("%d requests: goodput %.3f, %.4f refused", test.requests, r.goodput, r.refusals)
		assert.GreaterOrEqual(t, r.goodput, test.goodput)
		assert.LessOrEqual(t, r.refusals, test.refusals)
	}
}

// Two admissions on either side of a short window's end may be close together, which
// says nothing of the rate.
func TestARateOfShortWindowsIsLearned(t *testing.T) {
	w := world{
		kind: "fixed window", rate: 36, burst: 1, retryAfter: asCounted,
		clients: 1, callers: 8, latency: time.Millisecond, requests: 1500, least: time.Minute,
	}
	r := w.run(t, byCubic)
	t.Logf("goodput %.3f, %.4f refused", r.goodput, r.refusals)
	assert.GreaterOrEqual(t, r.goodput, 0.70)
	assert.LessOrEqual(t, r.refusals, 0.02)
}
