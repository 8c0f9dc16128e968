package whozextest

import (
	"fmt"
	"net"
	"time"

	"github.com/shopspring/decimal"
)

// Option changes a default of [NewServer], which panics on a value that makes
// no sense.
type Option func(*settings)

type settings struct {
	balance   decimal.Decimal
	vip       bool
	custom    decimal.NullDecimal
	key       string
	addr      string
	users     int
	latency   time.Duration
	perSecond float64
	burst     int
	clock     func() time.Time
	anywhere  bool
}

func defaults() settings {
	return settings{
		balance: decimal.New(15000, -2),
		vip:     true,
		custom:  decimal.NewNullDecimal(decimal.New(90, -2)),
		key:     newAPIKey(),
		addr:    "127.0.0.1:0",
		clock:   time.Now,
	}
}

// WithBalance sets the reseller's first balance in USD, 150.00 if not given.
func WithBalance(balance decimal.Decimal) Option {
	mustNotBeNegative("balance", balance)
	return func(s *settings) { s.balance = balance }
}

// WithVIP says whether the reseller pays the VIP prices, true if not given.
func WithVIP(vip bool) Option { return func(s *settings) { s.vip = vip } }

// WithCustomPrice sets the reseller's own price for a GB, 0.90 if not given. It
// overrides the standard and VIP prices.
func WithCustomPrice(perGB decimal.Decimal) Option {
	mustNotBeNegative("custom price", perGB)
	return func(s *settings) { s.custom = decimal.NewNullDecimal(perGB) }
}

// WithoutCustomPrice leaves the standard or VIP prices in force.
func WithoutCustomPrice() Option {
	return func(s *settings) { s.custom = decimal.NullDecimal{} }
}

// WithAPIKey sets the first API key, a random one if not given.
func WithAPIKey(key string) Option {
	must(key != "", "the API key is empty")
	return func(s *settings) { s.key = key }
}

// WithAddr sets the address to listen on, such as "127.0.0.1:8787"; a free port
// of 127.0.0.1 if not given. Only loopback addresses are taken.
func WithAddr(addr string) Option {
	host, _, err := net.SplitHostPort(addr)
	must(err == nil && isLoopback(host), fmt.Sprintf("%q is no loopback address with a port", addr))
	return func(s *settings) { s.addr = addr }
}

// WithUsers starts with n sub-users, user1@example.com and so on, none with a
// balance.
func WithUsers(n int) Option {
	must(n >= 0, "the number of users is negative")
	return func(s *settings) { s.users = n }
}

// WithLatency holds every request for d before it is handled.
func WithLatency(d time.Duration) Option {
	must(d >= 0, "the latency is negative")
	return func(s *settings) { s.latency = d }
}

// WithRateLimit answers 429 with a Retry-After in whole seconds, at least 1, to
// requests above perSecond once burst of them are spent. Without it there is no
// limit.
func WithRateLimit(perSecond float64, burst int) Option {
	must(perSecond > 0 && burst >= 1, "the rate limit needs a rate above 0 and a burst of at least 1")
	return func(s *settings) { s.perSecond, s.burst = perSecond, burst }
}

// WithClock sets the clock that dates everything, time.Now if not given. It is
// called with the server's lock held, so it must not call the server. Latency,
// rate limit and faults stay in real time.
func WithClock(now func() time.Time) Option {
	must(now != nil, "the clock is nil")
	return func(s *settings) { s.clock = now }
}

// WithDeliveriesAnywhere sends events to any host that a webhook names, over
// https. Without it only loopback is sent to, and events for other hosts are
// dropped.
func WithDeliveriesAnywhere() Option { return func(s *settings) { s.anywhere = true } }

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func mustNotBeNegative(what string, d decimal.Decimal) {
	must(!d.IsNegative(), "the "+what+" is negative")
}

func must(ok bool, otherwise string) {
	if !ok {
		panic("whozextest: " + otherwise)
	}
}
