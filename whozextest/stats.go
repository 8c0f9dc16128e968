package whozextest

import (
	"time"

	"github.com/shopspring/decimal"
)

const chartDays = 30

// day sums up what was bought on one day.
type day struct {
	spent, gb decimal.Decimal
	packages  int
}

// sold notes what was bought, for the statistics.
func (s *Server) sold(kind, proxyType string, gb, cost decimal.Decimal) {
	date := s.now().Format(time.DateOnly)
	d := s.days[date]
	if d == nil {
		d = &day{}
		s.days[date] = d
	}
	d.spent, d.gb = d.spent.Add(cost), d.gb.Add(gb)
	if kind == kindPurchase {
		d.packages++
		s.sales.purchases = s.sales.purchases.Add(cost)
	} else {
		s.sales.addGB = s.sales.addGB.Add(cost)
	}
	s.sales.gb[proxyType] = s.sales.gb[proxyType].Add(gb)
}

// sales are the sums of all that was bought.
type sales struct {
	purchases, addGB decimal.Decimal
	gb               map[string]decimal.Decimal // by proxy type
}

type spendingView struct {
	Purchases money `json:"purchases"`
	AddGB     money `json:"add_gb"`
	Total     money `json:"total"`
}

type chartPoint struct {
	Date     string   `json:"date"`
	Spent    money    `json:"spent"`
	GB       quantity `json:"gb"`
	Packages int      `json:"packages"`
}

type statsView struct {
	Spending      spendingView        `json:"spending"`
	GBByProxyType map[string]quantity `json:"gb_by_proxy_type"`
	Chart         []chartPoint        `json:"chart"`
}

func (s *Server) getAccountStats(*call) (any, *failure) {
	gb := map[string]quantity{}
	for _, proxyType := range proxyTypes {
		gb[proxyType] = quantity(s.sales.gb[proxyType])
	}
	return statsView{Spending: s.spending(), GBByProxyType: gb, Chart: s.chart()}, nil
}

func (s *Server) spending() spendingView {
	return spendingView{Purchases: money(s.sales.purchases), AddGB: money(s.sales.addGB), Total: money(s.ledger.spent)}
}

// chart has a point for each of the last 30 days, oldest first.
func (s *Server) chart() []chartPoint {
	points := make([]chartPoint, 0, chartDays)
	now := s.now()
	for back := chartDays - 1; back >= 0; back-- {
		date := now.AddDate(0, 0, -back).Format(time.DateOnly)
		point := chartPoint{Date: date}
		if d := s.days[date]; d != nil {
			point.Spent, point.GB, point.Packages = money(d.spent), quantity(d.gb), d.packages
		}
		points = append(points, point)
	}
	return points
}

type overviewView struct {
	Balances balancesView `json:"balances"`
	Packages countsView   `json:"packages"`
	Spending spendingView `json:"spending"`
	Chart    []chartPoint `json:"chart"`
}

type balancesView struct {
	Reseller money `json:"reseller"`
	Users    money `json:"users"`
}

type countsView struct {
	Total  int `json:"total"`
	Active int `json:"active"`
}

func (s *Server) getAnalyticsOverview(*call) (any, *failure) {
	return overviewView{
		Balances: balancesView{Reseller: money(s.account.balance), Users: money(s.ledger.users)},
		Packages: countsView{Total: len(s.packages), Active: len(s.packages)},
		Spending: s.spending(), Chart: s.chart(),
	}, nil
}
