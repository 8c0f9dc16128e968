package main

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// choice holds the options of the charts. All of them are in the page's URL.
type choice struct {
	Path     string
	Days     int
	By       whozex.Granularity
	Type     whozex.ProxyType // all if empty
	Package  string           // all if empty
	fallback int              // default of Days, which the URL leaves out
}

var (
	chartDays  = []int{7, 30, 90}
	proxyTypes = []whozex.ProxyType{whozex.ProxyResidential, whozex.ProxyDatacenter, whozex.ProxyMobile}
)

// choiceOf reads the options from a URL. For an invalid one it takes the default.
func choiceOf(r *http.Request, days int) choice {
	c := choice{Path: r.URL.Path, Days: days, By: whozex.GranularityDay, fallback: days}
	if n, err := strconv.Atoi(r.FormValue("days")); err == nil && slices.Contains(chartDays, n) {
		c.Days = n
	}
	if r.FormValue("by") == string(whozex.GranularityHour) {
		c.By = whozex.GranularityHour
	}
	if t := whozex.ProxyType(r.FormValue("type")); slices.Contains(proxyTypes, t) {
		c.Type = t
	}
	if id := r.FormValue("package"); packageID.MatchString(id) {
		c.Package = id
	}
	return c
}

// URL returns the URL with these options and a part of the page as fragment.
func (c choice) URL(part string) string {
	query := url.Values{}
	set := func(name, value, fallback string) {
		if value != fallback {
			query.Set(name, value)
		}
	}
	set("days", strconv.Itoa(c.Days), strconv.Itoa(c.fallback))
	set("by", string(c.By), string(whozex.GranularityDay))
	set("type", string(c.Type), "")
	set("package", c.Package, "")
	u := url.URL{Path: c.Path, RawQuery: query.Encode(), Fragment: part}
	return u.String()
}

// option is a link that changes one option.
type option struct {
	Name, URL string
	Chosen    bool
}

// DayOptions returns the links for the number of days, to a part of the page.
func (c choice) DayOptions(part string) (options []option) {
	for _, n := range chartDays {
		o := c
		o.Days = n
		options = append(options, option{strconv.Itoa(n) + " days", o.URL(part), c.Days == n})
	}
	return options
}

// StepOptions returns the links for steps of a day or an hour.
func (c choice) StepOptions(part string) (options []option) {
	for _, step := range []whozex.Granularity{whozex.GranularityDay, whozex.GranularityHour} {
		o := c
		o.By = step
		options = append(options, option{"by " + string(step), o.URL(part), c.By == step})
	}
	return options
}

// TypeOptions returns the links for each proxy type and for all.
func (c choice) TypeOptions(part string) (options []option) {
	for _, t := range append([]whozex.ProxyType{""}, proxyTypes...) {
		o := c
		o.Type = t
		options = append(options, option{cmp.Or(string(t), "all types"), o.URL(part), c.Type == t})
	}
	return options
}

// spend is the API's chart of sales by day.
type spend struct {
	Days      []day
	Asked     int
	Spent, GB decimal.Decimal
	Problem   string
}

// Shown returns how many of the requested days the API's chart has. It may be shorter.
func (s spend) Shown() int {
	if len(s.Days) == 0 {
		return 0
	}
	return min(s.Asked, int(time.Since(s.Days[0].Date)/(24*time.Hour))+1)
}

// lastDays returns the chart's last n days, up to today in UTC.
func (d *dashboard) lastDays(ctx context.Context, n int) spend {
	s := spend{Asked: n}
	s.Days, s.Problem = explained(d.chart(ctx))
	first := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-n)
	s.Days = slices.DeleteFunc(s.Days, func(p day) bool { return p.Date.Before(first) })
	for _, day := range s.Days {
		s.Spent, s.GB = s.Spent.Add(day.Spent), s.GB.Add(day.GB)
	}
	return s
}

// share is the share of one proxy type.
type share struct {
	Name    string
	GB      decimal.Decimal
	Percent float64
	Chosen  bool
}

// byType returns the share of each name in the API's statistics, except sums.
func (d *dashboard) byType(ctx context.Context, chosen whozex.ProxyType) ([]share, error) {
	stats, err := d.client.GetAccountStats(ctx)
	if err != nil {
		return nil, err
	}
	var all []share
	var sum decimal.Decimal
	for _, name := range slices.Sorted(maps.Keys(stats.GBByProxyType)) {
		if lower := strings.ToLower(name); strings.Contains(lower, "total") || strings.Contains(lower, "gb") {
			continue
		}
		gb := stats.GBByProxyType[name]
		sum = sum.Add(gb)
		all = append(all, share{Name: name, GB: gb, Chosen: name == string(chosen)})
	}
	for i := range all {
		if sum.IsPositive() {
			all[i].Percent = max(0, min(100, all[i].GB.Div(sum).InexactFloat64()*100))
		}
	}
	return all, nil
}

type chartsPage struct {
	choice
	Spend        spend
	Types        []share
	TypesProblem string
	Usage        usage
}

func (d *dashboard) charts(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	p := chartsPage{choice: choiceOf(r, 30)}
	list := d.catalog.list(func(k knownPackage) bool { return p.Package == "" || k.ID == p.Package })
	var all sync.WaitGroup
	all.Go(func() { p.Spend = d.lastDays(ctx, p.Days) })
	all.Go(func() { p.Types, p.TypesProblem = explained(d.byType(ctx, p.Type)) })
	all.Go(func() { p.Usage = d.usage(ctx, p.choice, d.views(ctx, list[:min(maxPackages, len(list))]), len(list)) })
	all.Wait()
	d.render(w, r, http.StatusOK, "charts", "Charts", p)
}
