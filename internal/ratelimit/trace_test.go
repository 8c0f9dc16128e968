package ratelimit

import (
	"testing"
	"time"
)

type traced struct {
	cubic
	t  *testing.T
	t0 time.Time
}

func (l *traced) refused(c *cycle) {
	before := l.rate(c.ended)
	s := l.searching
	l.cubic.refused(c)
	l.t.Logf("%6.2f n=%4d t=%.2f rate %.1f searching %t sustained %.1f refilled %.1f -> low %.1f high %.1f pause %s", c.ended.Sub(l.t0).Seconds(), c.admitted, c.ended.Sub(c.resumed).Seconds(), before, s, c.sustained(), c.refilled(), l.low, l.high, c.until.Sub(c.ended))
}

func TestTrace(t *testing.T) {
	base := world{kind: "token bucket", rate: 50, burst: 10, retryAfter: 1, clients: 1, callers: 16, latency: 2 * time.Millisecond, requests: 3000}
	r := base.run(t, func() law { return &traced{t: t, t0: time.Now()} })
	t.Log(r)
}
