package main

import (
	"context"
	"errors"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// The states of a package when it was last read.
const (
	stateUnread = "" // not read yet
	stateLow    = "low"
	stateUsedUp = "used-up"
	stateEnough = "enough"
	stateGone   = "gone" // no longer in the API
)

// level is a package's GB when it was last read.
type level struct {
	State       string
	Left, Total decimal.Decimal
	ReadAt      time.Time
}

// levelOf returns the level of a package. It is low at a tenth, as for the API's own
// event.
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

// setLevel sets the level of a package, and stores the package if its state changes.
func (s *catalog) setLevel(id string, l level) error {
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

// Attention is the number of packages that are low or used up.
func (l levels) Attention() int { return l.Low + l.UsedUp }

func (s *catalog) levels() levels {
	s.mu.Lock()
	defer s.mu.Unlock()
	return levels{s.count[stateLow], s.count[stateUsedUp], s.count[stateUnread], len(s.order)}
}

// attention lists at most n packages that are low or used up.
func (s *catalog) attention(n int) []knownPackage {
	list, _ := s.page(func(k *knownPackage) bool { return k.Level.State == stateLow || k.Level.State == stateUsedUp }, false, pager{Page: 1, Rows: n})
	return list
}

// read gets a package from the API and updates its level.
func (d *dashboard) read(ctx context.Context, k knownPackage, opts ...whozex.CallOption) (*whozex.Package, error) {
	var response whozex.Response
	at := time.Now()
	pkg, err := d.client.GetPackage(ctx, k.ID, append(opts, whozex.CaptureResponse(&response))...)
	if errors.Is(err, whozex.ErrNotFound) {
		return nil, errors.Join(err, d.catalog.setLevel(k.ID, level{State: stateGone, ReadAt: at}))
	}
	if err != nil {
		return nil, err
	}
	if pkg.TotalGB.IsZero() { // inferred for this route, may be missing
		pkg.TotalGB = k.GB
	}
	if response.Attempts == 0 { // from the cache; an event may have set a newer level
		return pkg, nil
	}
	if err := d.catalog.setLevel(k.ID, levelOf(pkg.RemainingGB, pkg.TotalGB, at)); err != nil {
		d.hub.warn("The GB left in " + k.ID + " could not be stored: " + err.Error())
	}
	return pkg, nil
}

// setLevelByEvent sets the level of the package in a low-GB event. The event's fields
// are not documented; without them the package still counts as low.
func (d *dashboard) setLevelByEvent(event *webhookverify.Event, at time.Time) error {
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
	return d.catalog.setLevel(p.PackageID, l)
}

// due returns the package that has not been read for the longest time; among those
// never read, the newest.
func (s *catalog) due() (knownPackage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *knownPackage
	for _, k := range s.order {
		if oldest == nil || k.Level.ReadAt.Before(oldest.Level.ReadAt) {
			oldest = k
		}
	}
	if oldest == nil {
		return knownPackage{}, false
	}
	return *oldest, true
}

// survey reads one package after another, to find low packages before a viewer does.
func (d *dashboard) survey(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if k, ok := d.catalog.due(); ok {
			_, _ = d.read(ctx, k) // on an error it stays due
		}
	}
}
