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

// gbNames are what the live API may call an amount of GB: its names are not
// documented.
var gbNames = []string{"gb", "total_gb", "gb_used", "used_gb"}

const errNames = plain("The API's chart has other names for its figures than this page knows.")

// usage is how many GB some packages used, by day or hour and by proxy type.
type usage struct {
	choice
	Packages, Known int // that were asked about, of all that could have been
	Types           []string
	Sums            []decimal.Decimal // by type
	Total           decimal.Decimal
	Rows            []usageRow
	First, Last     time.Time // of the chart, whose rows between may be left out
	Coarse          bool      // days came where hours were asked for
	Problems        []string
}

type usageRow struct {
	At time.Time
	GB []decimal.Decimal // by type
}

// Step is the time from one bar to the next.
func (u usage) Step() time.Duration {
	if u.By == whozex.GranularityHour {
		return time.Hour
	}
	return 24 * time.Hour
}

// Seconds is Step for the script.
func (u usage) Seconds() int { return int(u.Step() / time.Second) }

// All is the address of all packages' usage.
func (u usage) All() string {
	u.Package = ""
	return u.URL("usage")
}

// usage asks for each package alone, since the API has no sum of them.
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
		asked.Go(func() { charts[i], problems[i] = tell(d.usageOf(ctx, v.ID, c)) })
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
		if _, ok := pick(p, gbNames...); !ok {
			return nil, errNames
		}
	}
	return got.Chart, nil
}

// pick returns the first of a point's figures that has one of names.
func pick(p whozex.ChartPoint, names ...string) (decimal.Decimal, bool) {
	for _, name := range names {
		if value, ok := p.Values[name]; ok {
			return value, true
		}
	}
	return decimal.Zero, false
}

// add sums the charts up by time and type.
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
			gb, _ := pick(p, gbNames...)
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
		if used || u.By == whozex.GranularityDay { // hours without usage would be thousands of rows
			u.Rows = append(u.Rows, row)
		}
	}
}

func byKnown(a, b string) int {
	return cmp.Or(cmp.Compare(series(a), series(b)), cmp.Compare(a, b))
}

// series is the place of a type among the colours, the same on each page.
func series(kind string) int {
	if i := slices.Index(proxyTypes, whozex.ProxyType(kind)); i >= 0 {
		return i + 1
	}
	return len(proxyTypes) + 1
}

// coarse reports whether several points came, and each at the beginning of a day.
func coarse(charts [][]whozex.ChartPoint) bool {
	points := slices.Concat(charts...)
	return len(points) > 1 && !slices.ContainsFunc(points, func(p whozex.ChartPoint) bool {
		at := p.Date.UTC()
		return !at.Equal(at.Truncate(24 * time.Hour))
	})
}
