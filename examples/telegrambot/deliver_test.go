package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/internal/shop"
	"github.com/whozex/whozex-go/examples/telegrambot/faketelegram"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

// TestTelegramFails has each message meet each failure of Telegram. The order is
// carried out once all the same, and its customer learns of it, or an admin does.
func TestTelegramFails(t *testing.T) {
	failures := []struct {
		name    string
		fault   faketelegram.Fault
		byAdmin bool // the customer cannot be reached
	}{
		{name: "429", fault: faketelegram.Fault{Times: 2, Status: 429, RetryAfter: 1, Description: "Too Many Requests: retry after 1"}},
		{name: "403 blocked by the user", fault: faketelegram.Fault{Times: -1, Status: 403, Description: "Forbidden: bot was blocked by the user"}, byAdmin: true},
		{name: "400 markup refused", fault: faketelegram.Fault{Times: -1, Status: 400, OnlyHTML: true, Description: "Bad Request: can't parse entities"}},
		{name: "400 chat not found", fault: faketelegram.Fault{Times: -1, Status: 400, Description: "Bad Request: chat not found"}, byAdmin: true},
		{name: "time-out", fault: faketelegram.Fault{Times: 2, Stall: true}},
		{name: "502", fault: faketelegram.Fault{Times: 2, Status: http.StatusBadGateway}},
	}
	tap := func(s *market, button string) { s.chat.Tap(buyer, buyer, button) }
	messages := []struct {
		name, words string
		do          func(s *market, b *bot, button string)
		purchases   int
	}{
		{name: "welcome", words: "Welcome", do: func(s *market, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/start") }},
		{name: "balance", words: "Your balance", do: func(s *market, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/balance") }},
		{name: "price", words: "GB cost", do: func(s *market, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/price 20") }},
		{name: "quote", words: "20 GB residential for", do: func(s *market, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/buy 20") }},
		{name: "no packages", words: "no package here yet", do: func(s *market, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/packages") }},
		{name: "refused", words: "balance is too low", do: func(s *market, _ *bot, button string) {
			order, err := shop.ParseOrder(button)
			require.NoError(s.t, err)
			order.GB, order.Price = 1000, decimal.NewFromInt(900)
			tap(s, order.Key())
		}},
		{name: "bought", words: "You have", do: func(s *market, _ *bot, button string) { tap(s, button) }, purchases: 1},
		{name: "outcome unknown", words: "It is not known yet", do: func(s *market, _ *bot, button string) {
			s.api.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
			tap(s, button)
		}},
		{name: "little left", words: "GB left.", do: func(s *market, b *bot, button string) {
			o, err := shop.ParseOrder(button)
			require.NoError(s.t, err)
			require.NoError(s.t, b.shop.CarryOut(s.t.Context(), o))
			r, err := b.shop.Once.Get(s.t.Context(), button)
			require.NoError(s.t, err)
			require.NoError(s.t, b.onEvent(s.t.Context(), &webhookverify.Event{Name: whozex.EventPackageLowGB, Data: fmt.Appendf(nil, `{"package_id":%q}`, r.ResultID)}))
		}, purchases: 1},
	}
	for _, failure := range failures {
		for _, message := range messages {
			t.Run(failure.name+"/"+message.name, func(t *testing.T) {
				s := newMarket(t)
				b, _ := s.run()
				button, n := s.open(), len(s.chat.Sent())
				fault := failure.fault
				fault.Chat, fault.Words = buyer, message.words
				s.chat.Inject(fault)
				message.do(s, b, button)
				if failure.byAdmin {
					s.next(n, "alarm", func(m faketelegram.Message) bool { return m.Chat == admin && strings.Contains(m.Text, "could not be") })
				} else {
					s.next(n, message.words, func(m faketelegram.Message) bool { return m.Chat == buyer && strings.Contains(m.Text, message.words) })
				}
				assert.Equal(t, message.purchases, s.api.Commits(whozex.OpPurchasePackage))
				if message.name != "outcome unknown" {
					require.Eventually(t, func() bool {
						waiting, err := b.notices.waiting(t.Context())
						return err == nil && len(waiting) == 0
					}, 10*time.Second, time.Millisecond, "nobody waits any more")
				}
			})
		}
	}
}

// TestTelegramIsDownForLong has the bot restart before Telegram is back.
func TestTelegramIsDownForLong(t *testing.T) {
	s := newMarket(t)
	t.Setenv("WEBHOOK_URL", "")
	b, end := s.run()
	button := s.open()
	s.chat.Inject(faketelegram.Fault{Chat: buyer, Words: "You have", Times: 1, Status: 429, RetryAfter: 3600})
	s.chat.Tap(buyer, buyer, button)
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "msg=report") }, 20*time.Second, time.Millisecond)
	waiting, err := b.notices.waiting(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{button: ""}, waiting)
	end()
	n := len(s.chat.Sent())
	s.run()
	s.hears(n, "You have <code>PKG-")
	s.boughtOnce()
}

// TestACrashLeavesNobodyWithoutAnAnswer kills the bot between the call and the
// message, without a webhook: what is known is said, in /packages too, until an
// admin has found the package.
func TestACrashLeavesNobodyWithoutAnAnswer(t *testing.T) {
	s := newMarket(t)
	t.Setenv("WEBHOOK_URL", "")
	first := s.process()
	button := s.open()
	s.api.Inject(whozex.OpPurchasePackage, whozextest.StallAfterCommit(), 1)
	s.chat.Tap(buyer, buyer, button)
	require.Eventually(t, func() bool { return s.api.Commits(whozex.OpPurchasePackage) == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	s.leasesRunOut()
	n := len(s.chat.Sent())
	b, _ := s.run()
	s.hears(n, "bought and paid for")
	assert.Contains(t, s.ask(buyer, buyer, "/packages").Text, "20 GB residential: bought and paid for")
	assert.Contains(t, s.ask(buyer, buyer, "/balance").Text, "and you have 1 package.")
	assert.Contains(t, s.ask(buyer, buyer, "/resolve "+button+" yes").Text, "I know /balance", "which is for admins")
	n = len(s.chat.Sent()) // an alarm may come before the responses
	s.chat.Write(admin, admin, "/resolve "+button+" perhaps")
	s.hears(n, "not an order and what became of it")
	s.chat.Write(admin, admin, "/resolve buy:nothing no")
	s.hears(n, "no such order")
	id := ""
	for _, e := range s.api.Ledger() {
		id = max(id, e.PackageID)
	}
	n = len(s.chat.Sent())
	s.chat.Write(admin, admin, "/resolve "+button+" "+id)
	s.hears(n, "You have <code>"+id)
	s.hears(n, "It is settled")
	r, err := b.shop.Once.Get(t.Context(), button)
	require.NoError(t, err)
	assert.Equal(t, idempotency.FromPerson, r.Source)
	s.boughtOnce()
}

// TestACrashBeforeTheCall leaves an order that was never sent.
func TestACrashBeforeTheCall(t *testing.T) {
	s := newMarket(t)
	b, end := s.run()
	button := s.open()
	require.NoError(t, b.notices.expect(t.Context(), button))
	end()
	n := len(s.chat.Sent())
	s.run()
	s.hears(n, "It was not carried out")
	assert.Zero(t, s.api.Requests(whozex.OpPurchasePackage))
}
