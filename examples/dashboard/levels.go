package main

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// The states of a package, by what was last read of it.
const (
	stateUnread = "" // known, and not read yet
	stateLow    = "low"
	stateUsedUp = "used-up"
	stateEnough = "enough"
	stateGone   = "gone" // the API does not know it any more
)

// level is what was last read of a package's GB.
type level struct {
	State       string
	Left, Total decimal.Decimal
	ReadAt      time.Time
}

// levelOf asks for attention as the API's own event does, at a tenth.
func levelOf(left, total decimal.Decimal, at time.Time) level {
	state := stateEnough
	switch {
	case !left.IsPositive():
		state = stateUsedUp
	case left.Shift(1).LessThanOrEqual(total):
		state = stateLow
	}
	return level{state, left, total, at}
}

// note keeps what was read of a package, and writes it down when its state changes.
func (s *shelf) note(id string, l level) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.all[id]
	if k == nil || l.ReadAt.Before(k.Level.ReadAt) {
		return nil
	}
	before := k.Level.State
	k.Level = l
	if l.State == before {
		return nil
	}
	s.count[before]--
	s.count[l.State]++
	return s.store.put(*k)
}

// levels counts packages by state.
type levels struct{ Low, UsedUp, Unread, All int }

// Attention is how many ask for it.
func (l levels) Attention() int { return l.Low + l.UsedUp }

func (s *shelf) levels() levels {
	s.mu.Lock()
	defer s.mu.Unlock()
	return levels{s.count[stateLow], s.count[stateUsedUp], s.count[stateUnread], len(s.order)}
}

// attention lists n packages that are low or used up.
func (s *shelf) attention(n int) []known {
	list, _ := s.page(func(k *known) bool { return k.Level.State == stateLow || k.Level.State == stateUsedUp }, false, pager{Page: 1, Rows: n})
	return list
}

// read asks the API for a package, and notes what it says.
func (d *dashboard) read(ctx context.Context, k known, opts ...whozex.CallOption) (*whozex.Package, error) {
	var response whozex.Response
	at := time.Now()
	pkg, err := d.client.GetPackage(ctx, k.ID, append(opts, whozex.CaptureResponse(&response))...)
	if errors.Is(err, whozex.ErrNotFound) {
		return nil, errors.Join(err, d.shelf.note(k.ID, level{State: stateGone, ReadAt: at}))
	}
	if err != nil {
		return nil, err
	}
	if pkg.TotalGB.IsZero() { // inferred for this route, so it may be missing
		pkg.TotalGB = k.GB
	}
	if response.Attempts == 0 { // by the cache, older than what an event may have said since
		return pkg, nil
	}
	if err := d.shelf.note(k.ID, levelOf(pkg.RemainingGB, pkg.TotalGB, at)); err != nil {
		d.hub.warn("What is left of " + k.ID + " could not be written down: " + err.Error())
	}
	return pkg, nil
}

// heard notes what an event says of a package's GB. Its fields are not documented;
// without them the package is low all the same.
func (d *dashboard) heard(event *webhookverify.Event, at time.Time) error {
	var p struct {
		PackageID   string              `json:"package_id"`
		RemainingGB decimal.NullDecimal `json:"remaining_gb"`
		TotalGB     decimal.NullDecimal `json:"total_gb"`
	}
	if event.Name != whozex.EventPackageLowGB || event.Decode(&p) != nil {
		return nil
	}
	if now := time.Now(); at.After(now) { // clocks differ
		at = now
	}
	l := level{State: stateLow, ReadAt: at}
	if p.RemainingGB.Valid && p.TotalGB.Valid {
		l = levelOf(p.RemainingGB.Decimal, p.TotalGB.Decimal, at)
	}
	return d.shelf.note(p.PackageID, l)
}

// due is the package that was not read for the longest time; of those never read,
// the newest.
func (s *shelf) due() (known, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *known
	for _, k := range s.order {
		if oldest == nil || k.Level.ReadAt.Before(oldest.Level.ReadAt) {
			oldest = k
		}
	}
	if oldest == nil {
		return known{}, false
	}
	return *oldest, true
}

// survey reads one package after another, so that it is known which are low before
// somebody looks at them.
func (d *dashboard) survey(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if k, ok := d.shelf.due(); ok {
			_, _ = d.read(ctx, k) // it stays due
		}
	}
}
