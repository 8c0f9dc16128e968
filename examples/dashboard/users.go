package main

import (
	"context"
	"time"

	"github.com/whozex/whozex-go"
)

// userRows are the numbers of users on a page; the API gives 100 at most.
var userRows = rowOptions(10, 25, 50, 100)

// userPage is the list of users on the overview.
type userPage struct {
	Users   []whozex.User
	Query   string
	Order   listOption
	ReadAt  time.Time // of the figures, if they are not the API's of now; zero while they are being read
	Known   int       // users read so far
	Problem string
	Ignored []ignored
	pager
}

// Orders and RowOptions are for the form.
func (userPage) Orders() []listOption     { return userOrders }
func (userPage) RowOptions() []listOption { return userRows }

// users reads one page of the list. Newest first is the API's own order; the others
// are made of what meet has read.
func (d *dashboard) users(ctx context.Context, a *pageParams) userPage {
	u := userPage{Query: a.text("q"), Order: a.choice("sort", userOrders)}
	u.pager = pager{Page: a.page(), Pages: 1, Rows: a.rows(userRows), Path: "/", Anchor: "#users"}
	u.keep(a, "q", "sort", "rows")
	u.Ignored = a.Ignored
	if u.Order.Value != "" {
		u.ReadAt, u.Known = d.people.read()
		u.Users, u.pager = d.people.sorted(u.Query, u.Order.Value, u.pager)
		return u
	}
	return d.newestUsers(ctx, u)
}

func (d *dashboard) newestUsers(ctx context.Context, u userPage) userPage {
	list, err := d.client.ListUsers(ctx, whozex.ListUsersParams{Page: u.Page, Limit: u.Rows, Search: u.Query})
	if err != nil {
		u.Problem = explain(err)
		return u
	}
	d.people.learn(list.Items...)
	u.Users, u.Total, u.Pages = list.Items, max(list.Pagination.Total, len(list.Items)), max(1, list.Pagination.Pages)
	if u.Missing == 0 && u.Page > u.Pages { // an old link: the last page is nearest to it
		u.Missing, u.Page = u.Page, u.Pages
		return d.newestUsers(ctx, u)
	}
	return u
}
