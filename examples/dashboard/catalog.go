package main

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// knownPackage is a package that was bought here or named by an event.
type knownPackage struct {
	ID, UserID string
	GB, Cost   decimal.Decimal
	CreatedAt  time.Time
	Level      level // as it was last read
}

// catalog remembers packages, since the API has no route that lists them.
type catalog struct {
	mu    sync.Mutex
	all   map[string]*knownPackage
	order []*knownPackage // newest first
	count map[string]int
	store *store
}

func newCatalog(all []knownPackage, s *store) *catalog {
	catalog := &catalog{all: map[string]*knownPackage{}, count: map[string]int{}, store: s}
	for i := range all {
		catalog.all[all[i].ID] = &all[i]
		catalog.order = append(catalog.order, &all[i])
		catalog.count[all[i].Level.State]++
	}
	slices.SortFunc(catalog.order, newer)
	return catalog
}

func newer(a, b *knownPackage) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// add ignores a package that is known: the response and an event name the same one.
func (s *catalog) add(k knownPackage) error {
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

func (s *catalog) get(id string) (knownPackage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.all[id]; k != nil {
		return *k, true
	}
	return knownPackage{}, false
}

// list returns the packages for which keep is true, newest first.
func (s *catalog) list(keep func(knownPackage) bool) []knownPackage {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []knownPackage
	for _, k := range s.order {
		if keep == nil || keep(*k) {
			list = append(list, *k)
		}
	}
	return list
}

// newest returns the n newest packages.
func (s *catalog) newest(n int) (list []knownPackage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.order[:min(n, len(s.order))] {
		list = append(list, *k)
	}
	return list
}

// page returns one page of the packages for which keep is true: low ones first, then
// used-up ones, then all others; or, with byAge, newest first.
func (s *catalog) page(keep func(*knownPackage) bool, byAge bool, page pager) ([]knownPackage, pager) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var groups [3][]*knownPackage
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
	list := make([]knownPackage, 0, to-from)
	for _, k := range all[from:to] {
		list = append(list, *k)
	}
	return list, page
}

// matching lists the packages that a purchase with an unknown outcome may have created.
func (s *catalog) matching(op operation) []knownPackage {
	if op.Kind != "purchase" || op.State != unknown {
		return nil
	}
	since := op.SentAt.Add(-time.Minute) // clocks differ
	return s.list(func(k knownPackage) bool {
		return k.UserID == op.User.ID && k.GB.Equal(decimal.NewFromInt(int64(op.GB))) && k.CreatedAt.After(since)
	})
}
