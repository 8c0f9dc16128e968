package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// known is a package that was bought here or seen in an event.
type known struct {
	ID, UserID string
	GB, Cost   decimal.Decimal
	CreatedAt  time.Time
	Level      level // as it was last read
}

// shelf remembers packages, since the API has no route that lists them.
type shelf struct {
	mu    sync.Mutex
	all   map[string]*known
	order []*known // newest first
	count map[string]int
	store *store
}

func newShelf(all []known, s *store) *shelf {
	shelf := &shelf{all: map[string]*known{}, count: map[string]int{}, store: s}
	for i := range all {
		shelf.all[all[i].ID] = &all[i]
		shelf.order = append(shelf.order, &all[i])
		shelf.count[all[i].Level.State]++
	}
	slices.SortFunc(shelf.order, newer)
	return shelf
}

func newer(a, b *known) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// add keeps what came first: event and answer tell of the same package.
func (s *shelf) add(k known) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.all[k.ID]; ok || k.ID == "" {
		return nil
	}
	s.all[k.ID] = &k
	at, _ := slices.BinarySearchFunc(s.order, &k, newer)
	s.order = slices.Insert(s.order, at, &k)
	s.count[k.Level.State]++
	return s.store.put(k)
}

func (s *shelf) get(id string) (known, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.all[id]; k != nil {
		return *k, true
	}
	return known{}, false
}

// list has the packages that keep wants, newest first.
func (s *shelf) list(keep func(known) bool) []known {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []known
	for _, k := range s.order {
		if keep == nil || keep(*k) {
			list = append(list, *k)
		}
	}
	return list
}

// newest has n packages.
func (s *shelf) newest(n int) (list []known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.order[:min(n, len(s.order))] {
		list = append(list, *k)
	}
	return list
}

// page cuts one page out of the packages that keep wants: low ones first, then
// those used up, then all others, or by age alone.
func (s *shelf) page(keep func(*known) bool, byAge bool, page pager) ([]known, pager) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var groups [3][]*known
	for _, k := range s.order {
		if !keep(k) {
			continue
		}
		group := 2
		switch {
		case byAge:
		case k.Level.State == stateLow:
			group = 0
		case k.Level.State == stateUsedUp:
			group = 1
		}
		groups[group] = append(groups[group], k)
	}
	all := slices.Concat(groups[:]...)
	page, from, to := page.of(len(all))
	list := make([]known, 0, to-from)
	for _, k := range all[from:to] {
		list = append(list, *k)
	}
	return list, page
}

// matching lists the packages that a purchase in doubt may have made.
func (s *shelf) matching(op operation) []known {
	if op.Kind != "purchase" || op.State != unknown {
		return nil
	}
	since := op.SentAt.Add(-time.Minute) // clocks differ
	return s.list(func(k known) bool {
		return k.UserID == op.User.ID && k.GB.Equal(decimal.NewFromInt(int64(op.GB))) && k.CreatedAt.After(since)
	})
}
