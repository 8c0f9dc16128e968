package main

import (
	"context"
	"time"

	"github.com/whozex/whozex-go"
)

// userRows are the options for users per page; the API allows at most 100.
var userRows = rowOptions(10, 25, 50, 100)

// userPage is the list of users on the overview.
type userPage struct {
	Users   []whozex.User
	Query   string
	Order   listOption
	ReadAt  time.Time // when the list was read; zero before, and for the API's own order
	Known   int       // users read so far
	Problem string
	Ignored []ignored
	pager
}

// Orders and RowOptions are the options of the form.
func (userPage) Orders() []listOption     { return userOrders }
func (userPage) RowOptions() []listOption { return userRows }

// users returns one page of the list. Newest first is the API's own order; for other
// orders it sorts the users that readUsers has read.
func (d *dashboard) users(ctx context.Context, a *pageParams) userPage {
	u := userPage{Query: a.text("q"), Order: a.choice("sort", userOrders)}
	u.pager = pager{Page: a.page(), Pages: 1, Rows: a.rows(userRows), Path: "/", Anchor: "#users"}
	u.keep(a, "q", "sort", "rows")
	u.Ignored = a.Ignored
	if u.Order.Value != "" {
		u.ReadAt, u.Known = d.userCache.read()
		u.Users, u.pager = d.userCache.sorted(u.Query, u.Order.Value, u.pager)
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
	d.userCache.add(list.Items...)
	u.Users, u.Total, u.Pages = list.Items, max(list.Pagination.Total, len(list.Items)), max(1, list.Pagination.Pages)
	if u.Missing == 0 && u.Page > u.Pages { // an old link: show the last page
		u.Missing, u.Page = u.Page, u.Pages
		return d.newestUsers(ctx, u)
	}
	return u
}
