package main

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/whozex/whozex-go"
)

// packageView is a package as the API returns it now, or the error.
type packageView struct {
	knownPackage
	Package *whozex.Package
	Person  whozex.User
	Problem string
	Write   bool

	Secrets *secrets         // if requested
	Asked   whozex.Targeting // the requested targeting
	Refusal string           // the error of that request
}

// Left is the remaining share in percent.
func (v packageView) Left() float64 {
	if v.Package == nil || !v.Package.TotalGB.IsPositive() {
		return 0
	}
	return max(0, min(100, v.Package.RemainingGB.Div(v.Package.TotalGB).InexactFloat64()*100))
}

// Low and UsedUp go by the package as it was just read.
func (v packageView) Low() bool    { return v.Left() <= 10 }
func (v packageView) UsedUp() bool { return v.Package != nil && !v.Package.RemainingGB.IsPositive() }

func (d *dashboard) views(ctx context.Context, list []knownPackage) []packageView {
	views := make([]packageView, len(list))
	var all sync.WaitGroup
	for i, k := range list {
		all.Go(func() { views[i] = d.view(ctx, k) })
	}
	all.Wait()
	return views
}

func (d *dashboard) view(ctx context.Context, k knownPackage) packageView {
	v := packageView{knownPackage: k, Person: d.userCache.get(k.UserID), Write: d.write}
	v.Package, v.Problem = explained(d.read(ctx, k))
	return v
}

// maxPackages is how many packages a page shows by default. Each costs a call.
const maxPackages = 12

var (
	packageRows   = rowOptions(maxPackages, 24, 48)
	packageOrders = []listOption{{"", "Low first"}, {"newest", "Newest first"}}
	packageStates = []listOption{
		{"", "Any state"}, {"attention", "Low or used up"}, {stateLow, "Low"}, {stateUsedUp, "Used up"}, {stateEnough, "Enough left"},
		{"unread", "Not read yet"}, {stateGone, "Gone"},
	}
)

type packagesPage struct {
	Packages       []packageView
	Query          string
	State, Order   listOption
	States, Orders []listOption
	RowOptions     []listOption
	Levels         levels
	Ignored        []ignored
	pager
}

// packages shows the packages that match the URL's parameters.
func (d *dashboard) packages(w http.ResponseWriter, r *http.Request) {
	a := paramsOf(r)
	s := packagesPage{
		Query: a.text("q"), State: a.choice("state", packageStates), Order: a.choice("sort", packageOrders),
		States: packageStates, Orders: packageOrders, RowOptions: packageRows, Levels: d.catalog.levels(),
		pager: pager{Page: a.page(), Rows: a.rows(packageRows), Path: "/packages"},
	}
	s.keep(a, "q", "state", "sort", "rows")
	s.Ignored = a.Ignored
	list, page := d.catalog.page(d.packageFilter(s.Query, s.State.Value), s.Order.Value == "newest", s.pager)
	s.pager, s.Packages = page, d.views(r.Context(), list)
	d.render(w, r, http.StatusOK, "packages", "Packages", s)
}

// packageFilter returns a function that reports whether a package matches: by its state,
// a part of its id, its user's id, or a part of the user's name or email.
func (d *dashboard) packageFilter(query, state string) func(*knownPackage) bool {
	text := strings.ToUpper(query)
	owners := map[string]bool{strings.ToLower(query): true}
	if query != "" {
		for _, one := range d.userCache.matching(query) {
			owners[one.ID] = true
		}
	}
	return func(k *knownPackage) bool {
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
