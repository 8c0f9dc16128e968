package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// perPage is how many users a page shows, onDesk how many packages the first one
// does: each of those costs a call.
const (
	perPage = 10
	onDesk  = 6
)

const errNoUser = plain("There is no such user. Search for the user by name or email.")

// overview is the first page. Each part fails on its own.
type overview struct {
	Account        *whozex.Account
	AccountProblem string
	Pricing        *whozex.Pricing
	Spend          spend
	Users          userPage
	Packages       []packageView
	PackagesKnown  int
	Calculator     calculator
	Events         []happening
}

// day is a point of the charts.
type day struct {
	Date      time.Time
	Spent, GB decimal.Decimal
}

type calculator struct {
	Text, Problem string
	Quote         *whozex.Quote
	Plans         []whozex.Plan
}

type userPage struct {
	Users   []whozex.User
	Query   string
	Problem string
	pager
}

type pager struct {
	Page, Pages, Total int
	Missing            int // the page asked for, if there is none of that number
	Path, Search       string
}

// At is the address of another page.
func (p pager) At(page int) string {
	query := url.Values{"page": {strconv.Itoa(page)}}
	if p.Search != "" {
		query.Set("q", p.Search)
	}
	return p.Path + "?" + query.Encode()
}

func (p pager) Previous() int { return p.Page - 1 }
func (p pager) Next() int     { return p.Page + 1 }

func pageOf(r *http.Request) int {
	page, err := strconv.Atoi(r.FormValue("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		return 1
	}
	return page
}

func (d *dashboard) index(w http.ResponseWriter, r *http.Request) {
	ctx, query, size, number := r.Context(), r.FormValue("q"), r.FormValue("gb"), pageOf(r)
	var o overview
	var all sync.WaitGroup
	all.Go(func() { o.Account, o.AccountProblem = tell(d.client.GetAccount(ctx)) })
	all.Go(func() { o.Pricing, o.Calculator.Problem = tell(d.client.GetPricing(ctx)) })
	all.Go(func() { o.Spend = d.lastDays(ctx, 30) })
	all.Go(func() { o.Users = d.search(ctx, query, number) })
	known := d.shelf.list(nil)
	all.Go(func() { o.Packages = d.views(ctx, known[:min(onDesk, len(known))]) })
	var quote calculator
	if size != "" {
		all.Go(func() { quote = d.calculate(ctx, size) })
	}
	all.Wait()
	if quote.Text != "" {
		o.Calculator = quote
	}
	if o.Pricing != nil {
		o.Calculator.Plans = o.Pricing.Plans
	}
	o.PackagesKnown, o.Events = len(known), d.hub.since(0)
	d.render(w, r, http.StatusOK, "index", "Overview", o)
}

// tell keeps the problem in words for its place on the page.
func tell[T any](value T, err error) (T, string) {
	if err != nil {
		return value, explain(err)
	}
	return value, ""
}

// chart goes by the names of the sandbox and their likely kin: those of the live
// API are not documented.
func (d *dashboard) chart(ctx context.Context) ([]day, error) {
	stats, err := d.client.GetAnalyticsOverview(ctx)
	if err != nil {
		return nil, err
	}
	points := stats.Chart
	if len(points) == 0 {
		account, err := d.client.GetAccountStats(ctx)
		if err != nil {
			return nil, err
		}
		points = account.Chart
	}
	var days []day
	found := false
	for _, p := range points {
		spent, a := pick(p, "spent", "spending", "spend", "cost", "amount")
		gb, b := pick(p, gbNames...)
		found = found || a || b
		if !p.Date.IsZero() {
			days = append(days, day{p.Date, spent, gb})
		}
	}
	if len(days) > 0 && !found {
		return nil, errNames
	}
	return days, nil
}

func (d *dashboard) search(ctx context.Context, query string, page int) userPage {
	u := userPage{Query: cut(query, 200)}
	u.pager = pager{Page: page, Pages: 1, Path: "/", Search: u.Query}
	list, err := d.client.ListUsers(ctx, whozex.ListUsersParams{Page: page, Limit: perPage, Search: u.Query})
	if err != nil {
		u.Problem = explain(err)
		return u
	}
	d.people.learn(list.Items...)
	u.Users, u.Total, u.Pages = list.Items, max(list.Pagination.Total, len(list.Items)), max(1, list.Pagination.Pages)
	if u.Page > u.Pages { // an old link: the last page is nearest to it
		u = d.search(ctx, query, u.Pages)
		u.Missing = page
	}
	return u
}

func (d *dashboard) calculate(ctx context.Context, text string) calculator {
	c := calculator{Text: cut(text, 20)}
	gb, err := strconv.Atoi(c.Text)
	if err != nil || gb < 1 || gb > 1_000_000 {
		c.Problem = "Enter a whole number of GB, from 1 to 1,000,000."
		return c
	}
	c.Quote, c.Problem = tell(d.client.CalculatePrice(ctx, gb))
	return c
}

// find goes by the email where it is known, since the API has no route for one
// user, and else through the list.
func (d *dashboard) find(ctx context.Context, id string, opts ...whozex.CallOption) (whozex.User, error) {
	pages := []whozex.PageOption{whozex.Prefetch(2)}
	for _, opt := range opts {
		pages = append(pages, opt)
	}
	params := []whozex.ListUsersParams{{}}
	if email := d.people.get(id).Email; email != "" {
		params = []whozex.ListUsersParams{{Search: email}, {}}
	}
	for _, p := range params {
		for user, err := range d.client.AllUsers(ctx, p, pages...) {
			if err != nil {
				return whozex.User{}, err
			}
			d.people.learn(user)
			if user.ID == id {
				return user, nil
			}
		}
	}
	return whozex.User{}, errNoUser
}

// meet learns the names of all users, for events and packages.
func (d *dashboard) meet(ctx context.Context) {
	_, _ = d.find(ctx, "-")
	d.met.Store(true)
}

// people remembers users by id.
type people struct {
	mu  sync.Mutex
	all map[string]whozex.User
}

func newPeople() *people {
	return &people{all: map[string]whozex.User{}}
}

func (p *people) learn(users ...whozex.User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, user := range users {
		p.all[user.ID] = user
	}
}

func (p *people) get(id string) whozex.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[id]
}
