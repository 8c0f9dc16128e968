package main

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// known is a package that was bought here or seen in an event.
type known struct {
	ID, UserID string
	GB, Cost   decimal.Decimal
	CreatedAt  time.Time
}

// shelf remembers packages, since the API has no route that lists them.
type shelf struct {
	mu    sync.Mutex
	all   map[string]known
	store *store
}

func newShelf(ctx context.Context, s *store) (*shelf, error) {
	all, err := s.packages(ctx)
	return &shelf{all: all, store: s}, err
}

// add keeps what came first: event and answer tell of the same package.
func (s *shelf) add(k known) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.all[k.ID]; ok || k.ID == "" {
		return nil
	}
	s.all[k.ID] = k
	return s.store.put(k)
}

func (s *shelf) get(id string) (known, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.all[id]
	return k, ok
}

// list has the packages that keep wants, newest first.
func (s *shelf) list(keep func(known) bool) []known {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []known
	for _, k := range s.all {
		if keep == nil || keep(k) {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b known) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
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

// packageView is a package as it is right now, or why that is not known.
type packageView struct {
	known
	Package *whozex.Package
	Person  whozex.User
	Problem string
	Write   bool

	Secrets *secrets         // if asked for
	Asked   whozex.Targeting // with them
	Refusal string           // why there are none
}

// Left is what remains, in percent.
func (v packageView) Left() float64 {
	if v.Package == nil || !v.Package.TotalGB.IsPositive() {
		return 0
	}
	return max(0, min(100, v.Package.RemainingGB.Div(v.Package.TotalGB).InexactFloat64()*100))
}

// Low asks for attention as the API's own event does, at a tenth.
func (v packageView) Low() bool { return v.Left() <= 10 }

// UsedUp is a package that does nothing any more.
func (v packageView) UsedUp() bool { return v.Package != nil && !v.Package.RemainingGB.IsPositive() }

func (d *dashboard) views(ctx context.Context, list []known) []packageView {
	views := make([]packageView, len(list))
	var all sync.WaitGroup
	for i, k := range list {
		all.Go(func() { views[i] = d.view(ctx, k) })
	}
	all.Wait()
	return views
}

func (d *dashboard) view(ctx context.Context, k known) packageView {
	v := packageView{known: k, Person: d.people.get(k.UserID), Write: d.write}
	pkg, err := d.client.GetPackage(ctx, k.ID)
	if err != nil {
		v.Problem = explain(err)
		return v
	}
	if pkg.TotalGB.IsZero() { // inferred for this route, so it may be missing
		pkg.TotalGB = k.GB
	}
	v.Package = pkg
	return v
}

// perShelf is how many packages a page shows, each of which costs a call.
const perShelf = 12

type shelfPage struct {
	Packages []packageView
	pager
}

func (d *dashboard) packages(w http.ResponseWriter, r *http.Request) {
	all := d.shelf.list(nil)
	p := pager{Page: pageOf(r), Pages: max(1, (len(all)+perShelf-1)/perShelf), Total: len(all), Path: "/packages"}
	if p.Page > p.Pages {
		p.Missing, p.Page = p.Page, p.Pages
	}
	from := (p.Page - 1) * perShelf
	d.render(w, r, http.StatusOK, "packages", "Packages", shelfPage{d.views(r.Context(), all[from:min(from+perShelf, len(all))]), p})
}
