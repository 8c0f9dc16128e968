package whozextest

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

var proxyTypes = []string{"residential", "datacenter", "mobile"}

type pkg struct {
	id, proxyType      string
	owner              *user
	username, password string
	total, used        decimal.Decimal
	cost, price        decimal.Decimal // total cost, and the price of the purchase
	created            time.Time
	usage              []usedGB
}

type usedGB struct {
	at time.Time
	gb decimal.Decimal
}

func (p *pkg) remaining() decimal.Decimal { return p.total.Sub(p.used) }

func (p *pkg) low() bool { return p.remaining().Mul(decimal.NewFromInt(10)).LessThanOrEqual(p.total) }

type packageView struct {
	ID               string   `json:"id"`
	ProxyType        string   `json:"proxy_type"`
	TotalGB          quantity `json:"total_gb"`
	UsedGB           quantity `json:"used_gb"`
	RemainingGB      quantity `json:"remaining_gb"`
	Status           string   `json:"status"`
	EvomiUsername    string   `json:"evomi_username"`
	EvomiPassword    string   `json:"evomi_password"`
	Cost             money    `json:"cost"`
	PricePerGB       money    `json:"price_per_gb"`
	UserBalanceAfter *money   `json:"user_balance_after,omitempty"`
	CreatedAt        string   `json:"created_at"`
	ExpiresAt        string   `json:"expires_at"`
	Live             bool     `json:"live,omitempty"`
}

func (p *pkg) view() packageView {
	return packageView{
		ID: p.id, ProxyType: p.proxyType, TotalGB: quantity(p.total), UsedGB: quantity(p.used),
		RemainingGB: quantity(p.remaining()), Status: "active", EvomiUsername: p.username, EvomiPassword: p.password,
		Cost: money(p.cost), PricePerGB: money(p.price),
		CreatedAt: stamp(p.created), ExpiresAt: stamp(p.created.AddDate(0, 0, 30)),
	}
}

// bought returns the package in the response to a purchase.
func (p *pkg) bought(cost, price decimal.Decimal) packageView {
	v := p.view()
	after := money(p.owner.balance)
	v.Cost, v.PricePerGB, v.UserBalanceAfter = money(cost), money(price), &after
	return v
}

func (s *Server) getPackage(c *call) (any, *failure) {
	p := s.packages[c.id]
	if p == nil {
		return nil, notFound("Package")
	}
	v := p.view()
	v.Live = true
	return v, nil
}

func (s *Server) purchasePackage(c *call) (any, *failure) {
	u := s.users.byID[c.id]
	if u == nil {
		return nil, notFound("User")
	}
	gb, failed := c.gigabytes()
	if failed != nil {
		return nil, failed
	}
	proxyType, failed := c.text("proxy_type")
	if failed != nil {
		return nil, failed
	}
	if !c.has("proxy_type") {
		proxyType = proxyTypes[0]
	}
	if !slices.Contains(proxyTypes, proxyType) {
		return nil, invalidParam("proxy_type must be residential, datacenter or mobile")
	}
	p := &pkg{
		id: s.newPackageID(), proxyType: proxyType, owner: u, username: newProxyUser(), password: newProxyPassword(),
		price: s.priceOf(gb), created: s.now(),
	}
	cost, failed := s.sell(c, kindPurchase, p, gb, p.price, "")
	if failed != nil {
		return nil, failed
	}
	s.packages[p.id] = p
	u.packages = append(u.packages, p.id)
	s.emit(whozex.EventPackageCreated, packageCreatedData{UserID: u.id, PackageID: p.id, GB: quantity(gb), Cost: money(cost)})
	return p.bought(cost, p.price), nil
}

func (s *Server) addGB(c *call) (any, *failure) {
	p := s.packages[c.id]
	if p == nil {
		return nil, notFound("Package")
	}
	gb, failed := c.gigabytes()
	if failed != nil {
		return nil, failed
	}
	note, failed := c.text("note")
	if failed != nil {
		return nil, failed
	}
	price := s.priceOf(gb)
	cost, failed := s.sell(c, kindAddGB, p, gb, price, note)
	if failed != nil {
		return nil, failed
	}
	return p.bought(cost, price), nil
}

// sell adds gb to p and charges its user.
func (s *Server) sell(c *call, kind string, p *pkg, gb, price decimal.Decimal, note string) (decimal.Decimal, *failure) {
	cost := price.Mul(gb)
	if p.owner.balance.LessThan(cost) {
		return cost, insufficient("User", p.owner.balance, cost)
	}
	s.move(Entry{Request: c.seq, From: p.owner.id, To: LedgerSpent, Amount: cost, PackageID: p.id, Note: note})
	p.total, p.cost = p.total.Add(gb), p.cost.Add(cost)
	s.sold(kind, p.proxyType, gb, cost)
	s.history.add(transaction{kind: kind, amount: cost.Neg(), after: p.owner.balance, note: note, created: s.now()})
	return cost, nil
}
