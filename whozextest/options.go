package whozextest

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Option changes a default of [Start] and [NewServer]. For an invalid value Start returns
// an error, and NewServer panics.
type Option func(*settings) error

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
	headers   RateLimitHeaders
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
	return func(s *settings) error {
		s.balance = balance
		return notNegative("balance", balance)
	}
}

// WithVIP sets whether the reseller pays the VIP prices, true by default.
func WithVIP(vip bool) Option {
	return func(s *settings) error {
		s.vip = vip
		return nil
	}
}

// WithCustomPrice sets the reseller's own price for a GB, 0.90 if not given. It
// overrides the standard and VIP prices.
func WithCustomPrice(perGB decimal.Decimal) Option {
	return func(s *settings) error {
		s.custom = decimal.NewNullDecimal(perGB)
		return notNegative("custom price", perGB)
	}
}

// WithoutCustomPrice removes the custom price, so that standard or VIP prices apply.
func WithoutCustomPrice() Option {
	return func(s *settings) error {
		s.custom = decimal.NullDecimal{}
		return nil
	}
}

// WithAPIKey sets the first API key, a random one if not given.
func WithAPIKey(key string) Option {
	return func(s *settings) error {
		s.key = key
		printable := !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
		return check(key != "" && printable, "the API key is empty, or no header can carry it")
	}
}

// WithAddr sets the address to listen on, such as "127.0.0.1:8787"; a free port
// of 127.0.0.1 by default. Only loopback addresses are accepted.
func WithAddr(addr string) Option {
	return func(s *settings) error {
		s.addr = addr
		host, _, err := net.SplitHostPort(addr)
		return check(err == nil && isLoopback(host), "%q is no loopback address with a port", addr)
	}
}

// WithAddrAnywhere is [WithAddr] for any address, such as "0.0.0.0:8787", for a
// server in a container. Its clients need [whozex.WithInsecureHTTP].
func WithAddrAnywhere(addr string) Option {
	return func(s *settings) error {
		s.addr = addr
		_, _, err := net.SplitHostPort(addr)
		return check(err == nil, "%q is no address with a port", addr)
	}
}

// WithUsers starts with n sub-users, user1@example.com and so on, none with a
// balance.
func WithUsers(n int) Option {
	return func(s *settings) error {
		s.users = n
		return check(n >= 0, "the number of users is negative")
	}
}

// WithLatency delays every request by d before it is handled.
func WithLatency(d time.Duration) Option {
	return func(s *settings) error {
		s.latency = d
		return check(d >= 0, "the latency is negative")
	}
}

// WithRateLimit responds with 429 with a Retry-After in whole seconds, at least 1, to
// requests above perSecond after a burst. Without it there is no limit.
func WithRateLimit(perSecond float64, burst int) Option {
	return func(s *settings) error {
		s.perSecond, s.burst = perSecond, burst
		return check(perSecond > 0 && burst >= 1, "the rate limit needs a rate above 0 and a burst of at least 1")
	}
}

// WithRateLimitHeaders reports the state of the rate limit in the headers of every response
// to which the limit applies, in the given form. It needs [WithRateLimit]. The reported
// limit is that of the shortest window of whole seconds that fits a burst; remaining is
// the number of tokens in the bucket, and reset is when the bucket is full.
func WithRateLimitHeaders(form RateLimitHeaders) Option {
	return func(s *settings) error {
		s.headers = form
		return check(rateLimitForms[form] != nil, "%q is no form of rate-limit headers", form)
	}
}

// WithClock sets the clock that dates everything, time.Now if not given. It is
// called with the server's lock held, so it must not call the server. Latency,
// rate limit and faults stay in real time.
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		s.clock = now
		return check(now != nil, "the clock is nil")
	}
}

// WithDeliveriesAnywhere sends events to any host that a webhook names, and accepts
// webhooks over plain http. Without it events are sent to loopback only, and those for
// other hosts are dropped.
func WithDeliveriesAnywhere() Option {
	return func(s *settings) error {
		s.anywhere = true
		return nil
	}
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func notNegative(what string, d decimal.Decimal) error {
	return check(!d.IsNegative(), "the %s is negative", what)
}

func check(ok bool, otherwise string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("whozextest: "+otherwise, args...)
}
