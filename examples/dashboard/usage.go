package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// gbNames are possible names of GB in the live API's charts, which are not documented.
var gbNames = []string{"gb", "total_gb", "gb_used", "used_gb"}

const errNames = plain("The values in the API's chart have names that this page does not know.")

// usage is the GB used by some packages, by day or hour and by proxy type.
type usage struct {
	choice
	Packages, Known int // packages included, and all that match
	Types           []string
	Sums            []decimal.Decimal // by type
	Total           decimal.Decimal
	Rows            []usageRow
	First, Last     time.Time // of the chart; rows without usage may be missing
	Coarse          bool      // the API returned days instead of hours
	Problems        []string
}

type usageRow struct {
	At time.Time
	GB []decimal.Decimal // by type
}

// Step is the time between two bars.
func (u usage) Step() time.Duration {
	if u.By == whozex.GranularityHour {
		return time.Hour
	}
	return 24 * time.Hour
}

// Seconds is Step in seconds, for the script.
func (u usage) Seconds() int { return int(u.Step() / time.Second) }

// All is the URL of the usage of all packages.
func (u usage) All() string {
	u.Package = ""
	return u.URL("usage")
}

// usage reads and sums the usage of each package, since the API has no total.
func (d *dashboard) usage(ctx context.Context, c choice, views []packageView, all int) usage {
	u := usage{choice: c, Known: all}
	counts := map[string]int{} // of problems
	views = slices.DeleteFunc(slices.Clone(views), func(v packageView) bool {
		if c.Type != "" && v.Package == nil {
			counts[v.Problem]++
		}
		return c.Package != "" && v.ID != c.Package || c.Type != "" && (v.Package == nil || v.Package.ProxyType != c.Type)
	})
	u.Packages = len(views)
	charts := make([][]whozex.ChartPoint, len(views))
	problems := make([]string, len(views))
	var asked sync.WaitGroup
	for i, v := range views {
		asked.Go(func() { charts[i], problems[i] = explained(d.usageOf(ctx, v.ID, c)) })
	}
	asked.Wait()
	u.add(views, charts)
	for _, problem := range problems {
		counts[problem]++
	}
	delete(counts, "")
	for _, problem := range slices.Sorted(maps.Keys(counts)) {
		u.Problems = append(u.Problems, fmt.Sprintf("%s: %s", count(counts[problem], "package"), problem))
	}
	return u
}

func (d *dashboard) usageOf(ctx context.Context, id string, c choice) ([]whozex.ChartPoint, error) {
	got, err := d.client.GetUsage(ctx, id, whozex.UsageParams{Duration: fmt.Sprintf("%dd", c.Days), Granularity: c.By})
	if err != nil {
		return nil, err
	}
	for _, p := range got.Chart {
		if _, ok := firstValue(p, gbNames...); !ok {
			return nil, errNames
		}
	}
	return got.Chart, nil
}

// firstValue returns the first value of a point that has one of names.
func firstValue(p whozex.ChartPoint, names ...string) (decimal.Decimal, bool) {
	for _, name := range names {
		if value, ok := p.Values[name]; ok {
			return value, true
		}
	}
	return decimal.Zero, false
}

// add sums the charts by time and type.
func (u *usage) add(views []packageView, charts [][]whozex.ChartPoint) {
	if u.By == whozex.GranularityHour && coarse(charts) {
		u.By, u.Coarse = whozex.GranularityDay, true
	}
	u.Last = time.Now().UTC().Truncate(u.Step())
	u.First = u.Last.Add(u.Step()).AddDate(0, 0, -u.Days)
	sums := map[time.Time]map[string]decimal.Decimal{}
	types := map[string]decimal.Decimal{}
	for i, v := range views {
		kind := "unknown type"
		if v.Package != nil {
			kind = cmp.Or(string(v.Package.ProxyType), kind)
		}
		if len(charts[i]) > 0 {
			types[kind] = types[kind].Add(decimal.Zero)
		}
		for _, p := range charts[i] {
			at := p.Date.UTC().Truncate(u.Step())
			if at.Before(u.First) || at.After(u.Last) {
				continue
			}
			gb, _ := firstValue(p, gbNames...)
			if sums[at] == nil {
				sums[at] = map[string]decimal.Decimal{}
			}
			sums[at][kind] = sums[at][kind].Add(gb)
			types[kind] = types[kind].Add(gb)
			u.Total = u.Total.Add(gb)
		}
	}
	for _, kind := range slices.SortedFunc(maps.Keys(types), byKnown) {
		u.Types, u.Sums = append(u.Types, kind), append(u.Sums, types[kind])
	}
	for at := u.First; len(types) > 0 && !at.After(u.Last); at = at.Add(u.Step()) {
		row, used := usageRow{At: at}, false
		for _, kind := range u.Types {
			row.GB = append(row.GB, sums[at][kind])
			used = used || !sums[at][kind].IsZero()
		}
		if used || u.By == whozex.GranularityDay { // rows for hours without usage would be thousands
			u.Rows = append(u.Rows, row)
		}
	}
}

func byKnown(a, b string) int {
	return cmp.Or(cmp.Compare(series(a), series(b)), cmp.Compare(a, b))
}

// series returns the number of a type's colour, the same on each page.
func series(kind string) int {
	if i := slices.Index(proxyTypes, whozex.ProxyType(kind)); i >= 0 {
		return i + 1
	}
	return len(proxyTypes) + 1
}

// coarse reports whether there are several points, each at the beginning of a day.
func coarse(charts [][]whozex.ChartPoint) bool {
	points := slices.Concat(charts...)
	return len(points) > 1 && !slices.ContainsFunc(points, func(p whozex.ChartPoint) bool {
		at := p.Date.UTC()
		return !at.Equal(at.Truncate(24 * time.Hour))
	})
}
