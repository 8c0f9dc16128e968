package whozex

import (
	"math"
	"net/http"
	"sync"
	"time"
)

const (
	// clockSlack is how far two readings of one clock may differ, by the latency of a
	// response and the whole seconds of a Date.
	clockSlack = 5 * time.Second
	// sameKindSlack is how much older than the call an item must be to be too old to be
	// the call's: a local time marked as UTC jumps by an hour twice a year.
	sameKindSlack = 2 * time.Hour
	// otherKindSlack is the same if only items of another kind show the clock: two kinds
	// may be stored in two time zones, at most 26 hours apart.
	otherKindSlack = 28 * time.Hour
	// dateError is the largest error of the difference of two Dates, in whole seconds.
	dateError = 2 * time.Second
	// slowResponse is the longest duration of a response whose Date is used.
	slowResponse = 30 * time.Second
)

// serverClock has the Date of the last response, so that the record of a mutating call
// does not depend on the local clock alone.
type serverClock struct {
	mu   sync.Mutex
	date string
	sent time.Time // of the request
}

func (s *serverClock) observe(sent time.Time, header http.Header) {
	dates := header["Date"]
	if len(dates) != 1 || stale(header) || time.Since(sent) > slowResponse {
		return
	}
	s.mu.Lock()
	s.date, s.sent = dates[0], sent
	s.mu.Unlock()
}

// at returns the latest server time at the local time t: the Date is from between request
// and response. It is zero without a Date, or if the local clock was set or suspended
// since.
func (s *serverClock) at(t time.Time) time.Time {
	s.mu.Lock()
	date, sent := s.date, s.sent
	s.mu.Unlock()
	server, err := http.ParseTime(date)
	if err != nil {
		return time.Time{}
	}
	passed := t.Sub(sent)
	if off := passed - t.Round(0).Sub(sent.Round(0)); off.Abs() > time.Second {
		return time.Time{}
	}
	return server.Add(max(passed, 0))
}

// stale reports whether the response is from a cache in between.
func stale(header http.Header) bool {
	age := header.Get("Age")
	return age != "" && age != "0"
}

// sameProcess reports whether t is from this process's monotonic clock, which does not
// change when the wall clock is set. A stored time is not.
func sameProcess(t time.Time) bool { return t != t.Round(0) }

// timeInFlight is how long after SentAt the request can have been in flight.
func (c *Client) timeInFlight(unknown *OutcomeUnknownError) time.Duration {
	took := unknown.Until.Sub(unknown.SentAt)
	if unknown.Until.IsZero() || took < 0 { // not stated, or the clock was set meanwhile
		took = c.timeout
	}
	return took
}

// timeToCommit is how long after SentAt the request can still be carried out.
func (c *Client) timeToCommit(unknown *OutcomeUnknownError) time.Duration {
	way := c.timeInFlight(unknown)
	if c.grace > math.MaxInt64-way {
		return math.MaxInt64
	}
	return way + c.grace
}

// tooEarly returns why it is too early for "not applied"; empty if it is not. began is when
// the reading of seen began.
func (c *Client) tooEarly(unknown *OutcomeUnknownError, began time.Time, seen *listing) (reason string, notBefore time.Time) {
	if c.grace == 0 {
		return "", time.Time{}
	}
	passed, set := began.Sub(unknown.SentAt), false
	byServer := seen.date.Sub(unknown.ServerTime) - seen.took - dateError
	switch {
	case sameProcess(unknown.SentAt):
		if !unknown.ServerTime.IsZero() && !seen.date.IsZero() && passed-byServer > 2*clockSlack+seen.took {
			return "a response is from before its request, as a cache may have given it: look at the list itself;", time.Time{}
		}
	case unknown.ServerTime.IsZero():
		return "the record holds no time of the server, and the local clock may have been set since: make sure that the call is over, then look again;", time.Time{}
	case seen.date.IsZero():
		return "the server does not say its time, and the local clock may have been set since: make sure that the call is over, then look again;", time.Time{}
	default:
		// Either clock may have been set. If they disagree, both may have been.
		set = (passed - byServer).Abs() > 2*clockSlack+seen.took
		passed = min(passed, byServer)
	}
	needed := c.timeToCommit(unknown)
	switch {
	case passed < needed:
		return "not yet:", began.Add(needed).Add(-passed)
	case set:
		return "the local clock or the server's was set since the call: make sure that the call is over;", time.Time{}
	}
	return "", time.Time{}
}

// window is the time in which the call can have created an item, by the clock of the
// lists' responses.
type window struct {
	known    bool
	sent     time.Time // as well as is known
	from, to time.Time
	// earliest is from if that is certain, and zero otherwise: then no item is too old.
	earliest time.Time
}

func (c *Client) window(unknown *OutcomeUnknownError, seen *listing) window {
	if seen.now.IsZero() {
		return window{}
	}
	sent := seen.now.Add(-seen.received.Sub(unknown.SentAt))
	earliest := seen.now.Add(-between(unknown.SentAt, seen.received))
	if !unknown.ServerTime.IsZero() && !seen.date.IsZero() {
		byServer := unknown.ServerTime.Add(seen.now.Sub(seen.date))
		if byServer.Before(earliest) {
			earliest = byServer
		}
		if !sameProcess(unknown.SentAt) {
			sent = byServer
		}
	} else if !sameProcess(unknown.SentAt) {
		earliest = time.Time{}
	}
	w := window{known: true, sent: sent, from: sent.Add(-clockSlack), to: seen.latest.Add(2 * clockSlack), earliest: earliest}
	if last := sent.Add(c.timeToCommit(unknown)).Add(2 * clockSlack); c.grace > 0 && last.Before(w.to) && last.After(sent) {
		w.to = last
	}
	return w
}

// holds reports whether an item created at the time at can be the call's.
func (w window) holds(at time.Time) bool {
	return w.known && !at.IsZero() && !at.Before(w.from) && !at.After(w.to)
}

// itemAges compares the clock of a list's created_at with that of its responses.
type itemAges struct {
	newest     map[string]time.Time // by kind
	newestEver time.Time
	now        time.Time
	mixed      bool // the times contradict one another
}

func (a *itemAges) add(kind string, at time.Time) {
	if a.newest == nil {
		a.newest = map[string]time.Time{}
	}
	if at.After(a.newest[kind]) {
		a.newest[kind] = at
	}
	if at.After(a.newestEver) {
		a.newestEver = at
	}
	if at.After(a.now.Add(2 * clockSlack)) {
		a.mixed = true
	}
}

// behind returns how far the clock of created_at can be behind: no more than the age of
// the newest item.
func (a *itemAges) behind(newest time.Time) time.Duration { return max(a.now.Sub(newest), 0) }

// tooOld reports whether an item of a kind created at the time at is certainly older than
// the call. The time alone does not prove that: a local time marked as UTC is hours
// behind, and a date without a time up to a day.
func (a *itemAges) tooOld(kind string, at time.Time, w window) bool {
	if w.earliest.IsZero() || a.mixed || at.IsZero() {
		return false
	}
	at = latest(at)
	return at.Add(a.behind(a.newest[kind])+sameKindSlack).Before(w.earliest) ||
		at.Add(a.behind(a.newestEver)+otherKindSlack).Before(w.earliest)
}

// latest returns the latest time that at can mean. A time on a quarter of an hour may be a
// date without a time, since time zones differ by quarters.
func latest(at time.Time) time.Time {
	if at.Equal(at.Truncate(15 * time.Minute)) {
		return at.Add(24 * time.Hour)
	}
	return at
}

// elapsed returns the time since t, see between.
func elapsed(t time.Time) time.Duration { return between(t, time.Now()) }

// between returns the time from one to the other by the clock that shows more: the
// monotonic clock stops while the machine is suspended, and the wall clock may be set
// back.
func between(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
