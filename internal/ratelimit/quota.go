package ratelimit

import "time"

// Quota is a limit as the server reports it with a response.
type Quota struct {
	Limit     int           // requests allowed in a window
	Remaining int           // of them, now
	Window    time.Duration // 0 if not reported
	Reset     time.Duration // until Remaining is Limit again, rounded up to seconds; 0 if not reported
}

// Bounds of what is believed.
const (
	maxLimit  = 1_000_000_000
	maxWindow = 31 * 24 * time.Hour
)

// Sensible reports whether q can be a limit at all.
func (q Quota) Sensible() bool {
	return q.Limit > 0 && q.Limit <= maxLimit && q.Remaining >= 0 && q.Remaining <= maxLimit &&
		q.Window >= 0 && q.Window <= maxWindow && q.Reset >= 0 && q.Reset <= maxWindow &&
		(q.Window > 0 || q.Reset > 0)
}

// Reset is in whole seconds, so the truth may be this much earlier.
const rounding = time.Second

// A client keeps this far below the limit: two clocks never agree, nor does the
// network keep distances.
const headroom = 0.97

// average is the requests a second of q's limit.
func (q Quota) average() float64 { return float64(q.Limit) / q.Window.Seconds() }

// Rate is the requests a second that stay within q: its average, and no more
// than makes the remaining ones last until the reset. Within a second of the
// reset they say nothing, since it may have come.
func (q Quota) Rate() float64 {
	if q.Window <= 0 {
		q.Window = q.Reset
	}
	rate := headroom * q.average()
	if left := q.Reset - rounding; left > 0 {
		rate = min(rate, float64(q.Remaining)/left.Seconds())
	}
	return rate
}

// longWindow is one that is long beside the rounding of its reset.
const longWindow = 10 * time.Second

// reported is the quota that the server reported last.
type reported struct {
	quota  Quota
	when   time.Time
	window time.Duration // the longest reset seen with this limit
	until  time.Time     // the reset, as the first report of this window had it
}

func (r *reported) known() bool { return !r.when.IsZero() }

// stale reports whether the server has not repeated its report for so long that
// it cannot be taken for granted any more.
func (r *reported) stale(now time.Time) bool {
	return r.known() && now.Sub(r.when) > max(2*r.quota.Window, time.Minute)
}

// update takes q, unless it makes no sense, and reports which.
func (r *reported) update(q Quota, now time.Time) bool {
	if !q.Sensible() {
		return false
	}
	if q.Window == 0 {
		// A window nobody reports is as long as the longest reset.
		if q.Limit != r.quota.Limit {
			r.window = 0
		}
		r.window = max(r.window, q.Reset)
		q.Window = r.window
	}
	until := now.Add(q.Reset)
	if q.Limit == r.quota.Limit && until.Sub(r.until).Abs() <= rounding {
		// Responses may come out of order.
		q.Remaining = min(q.Remaining, r.quota.Remaining)
	} else {
		r.until = until
	}
	r.quota, r.when = q, now
	return true
}

// at is the quota at now: after its reset all of it is there again.
func (r *reported) at(now time.Time) Quota {
	q := r.quota
	if q.Reset > 0 && now.Sub(r.when) >= q.Reset {
		q.Remaining = q.Limit
	}
	q.Reset = max(q.Reset-now.Sub(r.when), 0)
	return q
}

// exhausted is the time to wait until the reset if nothing remains, 0 if
// something does. In a short window the reset may have come.
func (r *reported) exhausted() time.Duration {
	if r.quota.Remaining > 0 || r.quota.Reset <= rounding && r.quota.Window < longWindow {
		return 0
	}
	return r.quota.Reset
}

// credit is how many requests may be on their way without being spaced: half of
// those that remain, since the rest can be spread. In a short window, and from
// the reset to the next report, there is none.
func (r *reported) credit(now time.Time) int {
	if r.quota.Window < longWindow || r.at(now).Reset == 0 {
		return 0
	}
	return r.quota.Remaining / 2
}
