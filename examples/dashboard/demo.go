package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

const customers = "Amara Okafor,Lukas Brandt,Mei Tanaka,Sofia Rossi,Omar Haddad,Ingrid Solberg,Mateo Fuentes,Aylin Demir,Jonas Weber,Priya Nair," +
	"Chloé Laurent,Tomasz Zieliński,Nadia Petrova,Kwame Mensah,Elif Yılmaz,Daniel Kim,Hanna Virtanen,Rafael Souza,Layla Aziz,Oliver Grant," +
	"Yuki Mori,Beatriz Alves,Viktor Novák,Fatima Zahra,Liam O'Connor,Zeynep Kaya,Noah Fischer,Isabel Moreno,Arjun Mehta,Freya Lindqvist," +
	"Emre Şahin,Grace Njoroge,Hugo Martin,Anya Sokolova,Samuel Osei,Leila Farahani,Marco Bianchi,Minh Nguyen,Clara Schmidt,Youssef Amrani," +
	"Katya Morozova,Diego Herrera,Aisha Bello,Erik Johansson,Ana Jovanović,Ravi Kapoor,Julia Kowalska,Tariq Mansour,Emma Dubois,Felix Wagner," +
	"Selin Arslan,Lucas Pereira,Mina Park,Henrik Dahl,Salma Rahman,Peter Horváth,Ines Carvalho,Bilal Siddiqui,Nora Byrne,Gabriel Costa"

// business is the example data of the sandbox, the same each time.
type business struct {
	server   *whozextest.Server
	client   *whozex.Client
	random   *rand.Rand
	ago      *atomic.Int64 // how far the sandbox's clock is in the past
	users    []*whozex.User
	stock    []*demoPackage
	payments int
}

// demoPackage is a package that its user uses up at a constant rate.
type demoPackage struct {
	id           string
	owner        *whozex.User
	left, perDay float64 // GB
}

func newBusiness() (*business, error) {
	b := &business{random: rand.New(rand.NewPCG(8, 8)), ago: new(atomic.Int64)}
	server, err := whozextest.Start(
		whozextest.WithBalance(decimal.NewFromInt(8000)),
		whozextest.WithClock(func() time.Time { return time.Now().UTC().Add(-time.Duration(b.ago.Load())) }),
	)
	if err != nil {
		return nil, err
	}
	b.server, b.client = server, server.Client()
	return b, nil
}

// demo registers the dashboard's own webhook and simulates 30 days. After that it
// continues with one step every pace.
func (d *dashboard) demo(ctx context.Context, webhooks string, pace time.Duration) error {
	b := d.business
	hook, err := b.client.CreateWebhook(ctx, whozex.CreateWebhookParams{URL: webhooks, Events: []string{
		whozex.EventPackageCreated, whozex.EventPackageLowGB, whozex.EventBalanceAdded, whozex.EventUserCreated,
	}})
	if err != nil {
		return err
	}
	if err := d.listenFor(hook.Secret.Reveal()); err != nil {
		return err
	}
	names := strings.Split(customers, ",")
	for day := 29; day >= 0; day-- {
		if err := b.day(ctx, day, names[(29-day)*2:][:2], d.userCache); err != nil {
			return fmt.Errorf("example business: %w", err)
		}
	}
	b.ago.Store(0)
	if err := b.server.WaitDeliveries(ctx); err != nil {
		return err
	}
	if pace > 0 {
		d.running.Go(func() { b.live(ctx, pace) })
	}
	return nil
}

// day simulates new customers and sales: more on weekdays, and more with time.
func (b *business) day(ctx context.Context, ago int, names []string, cache *userCache) error {
	sales := 2 + (29-ago)/8 + b.random.IntN(3)
	if weekday := time.Now().UTC().AddDate(0, 0, -ago).Weekday(); weekday == time.Saturday || weekday == time.Sunday {
		sales = max(1, sales/2)
	}
	clock := func(step int) {
		// Leave two hours between these sales and the first one on the page, so that
		// Reconcile cannot mistake one for the other.
		back := time.Duration(ago)*24*time.Hour + time.Duration(sales+len(names)-step)*90*time.Minute + 2*time.Hour
		b.ago.Store(int64(back - time.Duration(b.random.IntN(60))*time.Minute))
	}
	for i, name := range names {
		clock(i)
		user, err := b.client.CreateUser(ctx, whozex.CreateUserParams{Email: address(name), Name: name})
		if err != nil {
			return err
		}
		b.users = append(b.users, user)
		cache.add(*user) // so that events of these days show names
		if b.random.IntN(4) > 0 {
			if err := b.pay(ctx, user, int64(10+5*b.random.IntN(7))); err != nil {
				return err
			}
		}
	}
	for i := range sales {
		clock(len(names) + i)
		if err := b.sale(ctx); err != nil {
			return err
		}
	}
	for _, p := range b.stock {
		if err := b.use(p, p.perDay*(0.5+b.random.Float64())); err != nil {
			return err
		}
	}
	return nil
}

func address(name string) string {
	plain := strings.NewReplacer(" ", ".", "'", "", "é", "e", "ń", "n", "ı", "i", "á", "a", "ş", "s", "ć", "c").Replace(strings.ToLower(name))
	return plain + "@example.com"
}

// pay tops up a customer after a payment.
func (b *business) pay(ctx context.Context, user *whozex.User, dollars int64) error {
	b.payments++
	change, err := b.client.AddBalance(ctx, user.ID, decimal.NewFromInt(dollars), fmt.Sprintf("payment %d of %s", 1000+b.payments, user.Email))
	if err == nil {
		user.Balance = change.UserBalance
	}
	return err
}

// sale sells a package to a random user; the newest users buy more often.
func (b *business) sale(ctx context.Context) error {
	user := b.users[b.random.IntN(len(b.users))]
	if b.random.IntN(5) < 3 {
		user = b.users[max(0, len(b.users)-1-b.random.IntN(8))]
	}
	gb := []int{5, 10, 10, 20, 20, 30, 50, 100}[b.random.IntN(8)]
	cost := decimal.NewFromFloat(0.9).Mul(decimal.NewFromInt(int64(gb)))
	if short := cost.Sub(user.Balance); short.IsPositive() {
		if err := b.pay(ctx, user, (short.IntPart()/10+1+int64(b.random.IntN(4)))*10); err != nil {
			return err
		}
	}
	kind := []whozex.ProxyType{whozex.ProxyResidential, whozex.ProxyResidential, whozex.ProxyMobile, whozex.ProxyDatacenter}[b.random.IntN(4)]
	pkg, err := b.client.PurchasePackage(ctx, user.ID, whozex.PurchasePackageParams{GB: gb, ProxyType: kind})
	if err != nil {
		return err
	}
	user.Balance = pkg.UserBalanceAfter
	p := &demoPackage{id: pkg.ID, owner: user, left: float64(gb), perDay: float64(gb) * (0.02 + 0.1*b.random.Float64())}
	b.stock = append(b.stock, p)
	return b.use(p, p.left*0.9*b.random.Float64())
}

func (b *business) use(p *demoPackage, gb float64) error {
	left := decimal.NewFromFloat(p.left).Round(2)
	amount := decimal.NewFromFloat(gb).Truncate(2)
	if left.Sub(amount).LessThan(decimal.NewFromFloat(0.05)) {
		amount = left
	}
	if !amount.IsPositive() {
		return nil
	}
	p.left -= amount.InexactFloat64()
	return b.server.UseGB(p.id, amount)
}

// live continues with traffic, payments and GB for low packages. It makes no purchases;
// those are left to the viewer. It ignores errors, since the sandbox may be closing.
func (b *business) live(ctx context.Context, pace time.Duration) {
	ticks := time.NewTicker(pace)
	defer ticks.Stop()
	for n := 1; ; n++ {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		newest := b.stock[max(0, len(b.stock)-20):]
		for _, p := range newest {
			_ = b.use(p, p.perDay*0.05)
		}
		if n%2 == 0 {
			_ = b.pay(ctx, b.users[b.random.IntN(len(b.users))], int64(5+5*b.random.IntN(6)))
		}
		if p := newest[b.random.IntN(len(newest))]; n%3 == 0 && p.left < 3 && b.pay(ctx, p.owner, 10) == nil {
			if _, err := b.client.AddGB(ctx, p.id, whozex.AddGBParams{GB: 10, Note: fmt.Sprintf("extension %d", n)}); err == nil {
				p.left += 10
			}
		}
		if b.server.Balance().LessThan(decimal.NewFromInt(1000)) {
			_ = b.server.SetBalance(decimal.NewFromInt(5000)) // the reseller's own deposit
		}
	}
}
