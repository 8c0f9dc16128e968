package main

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/whozex/whozex-go"
)

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

// Low and UsedUp are as the package is right now.
func (v packageView) Low() bool    { return v.Left() <= 10 }
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
	v.Package, v.Problem = tell(d.read(ctx, k))
	return v
}

// perShelf is how many packages a page shows, each of which costs a call.
const perShelf = 12

var (
	packageRows   = rowOptions(perShelf, 24, 48)
	packageOrders = []listOption{{"", "Low first"}, {"newest", "Newest first"}}
	packageStates = []listOption{
		{"", "Any state"}, {"attention", "Low or used up"}, {stateLow, "Low"}, {stateUsedUp, "Used up"}, {stateEnough, "Enough left"},
		{"unread", "Not read yet"}, {stateGone, "Gone"},
	}
)

type shelfPage struct {
	Packages       []packageView
	Query          string
	State, Order   listOption
	States, Orders []listOption
	RowOptions     []listOption
	Levels         levels
	Ignored        []ignored
	pager
}

// packages shows those that the address asks for.
func (d *dashboard) packages(w http.ResponseWriter, r *http.Request) {
	a := paramsOf(r)
	s := shelfPage{
		Query: a.text("q"), State: a.choice("state", packageStates), Order: a.choice("sort", packageOrders),
		States: packageStates, Orders: packageOrders, RowOptions: packageRows, Levels: d.shelf.levels(),
		pager: pager{Page: a.page(), Rows: a.rows(packageRows), Path: "/packages"},
	}
	s.keep(a, "q", "state", "sort", "rows")
	s.Ignored = a.Ignored
	list, page := d.shelf.page(d.wanted(s.Query, s.State.Value), s.Order.Value == "newest", s.pager)
	s.pager, s.Packages = page, d.views(r.Context(), list)
	d.render(w, r, http.StatusOK, "packages", "Packages", s)
}

// wanted tells the packages that a search means: by the package's id or a part of
// it, the user's id, or a part of the user's name or email.
func (d *dashboard) wanted(query, state string) func(*known) bool {
	text := strings.ToUpper(query)
	owners := map[string]bool{strings.ToLower(query): true}
	if query != "" {
		for _, one := range d.people.matching(query) {
			owners[one.ID] = true
		}
	}
	return func(k *known) bool {
		switch now := k.Level.State; state {
		case "":
		case "attention":
			if now != stateLow && now != stateUsedUp {
				return false
			}
		case "unread":
			if now != stateUnread {
				return false
			}
		default:
			if now != state {
				return false
			}
		}
		return query == "" || owners[k.UserID] || strings.Contains(strings.ToUpper(k.ID), text)
	}
}
