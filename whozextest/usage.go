package whozextest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const maxUsagePoints = 1000

var granularities = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

type usageView struct {
	PackageID   string       `json:"package_id"`
	Duration    string       `json:"duration"`
	Granularity string       `json:"granularity"`
	Usage       []usagePoint `json:"usage"`
}

type usagePoint struct {
	Date string   `json:"date"`
	GB   quantity `json:"gb"`
}

func (s *Server) getUsage(c *call) (any, *failure) {
	p := s.packages[c.id]
	if p == nil {
		return nil, notFound("Package")
	}
	v := usageView{
		PackageID: p.id, Duration: cmp.Or(c.query.Get("duration"), "7d"), Granularity: cmp.Or(c.query.Get("granularity"), "day"),
	}
	step, ok := granularities[v.Granularity]
	if !ok {
		return nil, invalidParam("granularity must be minute, hour or day")
	}
	text, isDays := strings.CutSuffix(v.Duration, "d")
	days, err := strconv.Atoi(text)
	if !isDays || err != nil || days < 1 || days > 365 {
		return nil, invalidParam("duration must be a number of days from 1d to 365d")
	}
	v.Usage = p.usageBy(step, time.Duration(days)*24*time.Hour, s.now())
	return v, nil
}

// usageBy sums the usage up by periods of step over the time before now.
func (p *pkg) usageBy(step, span time.Duration, now time.Time) []usagePoint {
	last := now.Truncate(step)
	first := last.Add(step - span)
	sums := map[time.Time]decimal.Decimal{}
	if span/step <= maxUsagePoints {
		for at := first; !at.After(last); at = at.Add(step) {
			sums[at] = decimal.Zero
		}
	}
	for _, used := range p.usage {
		if at := used.at.Truncate(step); !at.Before(first) && !at.After(last) {
			sums[at] = sums[at].Add(used.gb)
		}
	}
	points := make([]usagePoint, 0, len(sums))
	for at, gb := range sums {
		points = append(points, usagePoint{Date: stamp(at), GB: quantity(gb)})
	}
	slices.SortFunc(points, func(a, b usagePoint) int { return cmp.Compare(a.Date, b.Date) })
	return points
}
