package main

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// overviewNewest is how many of the newest packages the overview shows, overviewLow how
// many low ones. Each costs a call.
const (
	overviewNewest = 6
	overviewLow    = 4
)

const errNoUser = plain("User not found. Search for the user by name or email.")

// overview is the first page. An error in one part does not affect the others.
type overview struct {
	Account        *whozex.Account
	AccountProblem string
	Pricing        *whozex.Pricing
	Spend          spend
	Users          userPage
	Packages, Low  []packageView
	Levels         levels
	Calculator     calculator
	Events         []eventView
}

// day is a point of the spend chart.
type day struct {
	Date      time.Time
	Spent, GB decimal.Decimal
}

type calculator struct {
	Text, Problem string
	Quote         *whozex.Quote
	Plans         []whozex.Plan
}

func (d *dashboard) index(w http.ResponseWriter, r *http.Request) {
	ctx, size, a := r.Context(), r.FormValue("gb"), paramsOf(r)
	var o overview
	var all sync.WaitGroup
	all.Go(func() { o.Account, o.AccountProblem = explained(d.client.GetAccount(ctx)) })
	all.Go(func() { o.Pricing, o.Calculator.Problem = explained(d.client.GetPricing(ctx)) })
	all.Go(func() { o.Spend = d.lastDays(ctx, 30) })
	all.Go(func() { o.Users = d.users(ctx, a) })
	all.Go(func() { o.Packages = d.views(ctx, d.catalog.newest(overviewNewest)) })
	all.Go(func() { o.Low = d.views(ctx, d.catalog.attention(overviewLow)) })
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
	o.Levels, o.Events = d.catalog.levels(), d.hub.since(0)
	d.render(w, r, http.StatusOK, "index", "Overview", o)
}

// explained turns the error into text for the page.
func explained[T any](value T, err error) (T, string) {
	if err != nil {
		return value, explain(err)
	}
	return value, ""
}

// chart reads the spend chart. The API does not document the names of its values, so it
// tries the sandbox's names and similar ones.
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
		spent, a := firstValue(p, "spent", "spending", "spend", "cost", "amount")
		gb, b := firstValue(p, gbNames...)
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

func (d *dashboard) calculate(ctx context.Context, text string) calculator {
	c := calculator{Text: cut(text, 20)}
	gb, err := strconv.Atoi(c.Text)
	if err != nil || gb < 1 || gb > 1_000_000 {
		c.Problem = "Enter a whole number of GB, from 1 to 1,000,000."
		return c
	}
	c.Quote, c.Problem = explained(d.client.CalculatePrice(ctx, gb))
	return c
}

// find returns a user by id. The API has no route for one user, so it searches for the
// user's email, if known, and then iterates over all users.
func (d *dashboard) find(ctx context.Context, id string, opts ...whozex.CallOption) (whozex.User, error) {
	pages := []whozex.PageOption{whozex.Prefetch(2)}
	for _, opt := range opts {
		pages = append(pages, opt)
	}
	params := []whozex.ListUsersParams{{}}
	if email := d.userCache.get(id).Email; email != "" {
		params = []whozex.ListUsersParams{{Search: email}, {}}
	}
	for _, p := range params {
		for user, err := range d.client.AllUsers(ctx, p, pages...) {
			if err != nil {
				return whozex.User{}, err
			}
			d.userCache.add(user)
			if user.ID == id {
				return user, nil
			}
		}
	}
	return whozex.User{}, errNoUser
}
