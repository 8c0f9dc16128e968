package ratelimit

import (
	"testing"
	"time"
)

func TestTrace8(t *testing.T) {
	i := 0
	base := world{kind: "token bucket", rate: 50, burst: 10, retryAfter: 1, clients: 8, callers: 4, latency: 2 * time.Millisecond, requests: 3000}
	t0 := time.Now()
	_ = t0
	r := base.run(t, func() law {
		i++
		if i <= 3 {
			return &traced8{id: i, t: t}
		}
		return new(cubic)
	})
	t.Log(r)
}

type traced8 struct {
	cubic
	id int
	t  *testing.T
}

func (l *traced8) refused(c *cycle) {
	before := l.rate(c.ended)
	s := l.searching
	l.cubic.refused(c)
	l.t.Logf("%d n=%4d T=%.2f burst %d rate %.1f searching %t sustained %.1f refilled %.1f -> low %.1f high %.1f top %.1f pauses %d", l.id, c.admitted, c.ended.Sub(c.resumed).Seconds(), c.burst, before, s, c.sustained(), c.refilled(), l.low, l.high, l.top, l.pauses)
}
