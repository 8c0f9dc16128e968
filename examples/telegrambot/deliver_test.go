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

// With each kind of message and each failure of Telegram, the order must be executed
// once and the customer or an admin must be notified.
func TestBot_TelegramFails(t *testing.T) {
	failures := []struct {
		name    string
		fault   faketelegram.Fault
		toAdmin bool // the customer cannot be reached, so an admin is notified
	}{
		{name: "429", fault: faketelegram.Fault{Times: 2, Status: 429, RetryAfter: 1, Description: "Too Many Requests: retry after 1"}},
		{name: "403 blocked by the user", fault: faketelegram.Fault{Times: -1, Status: 403, Description: "Forbidden: bot was blocked by the user"}, toAdmin: true},
		{name: "400 invalid markup", fault: faketelegram.Fault{Times: -1, Status: 400, OnlyHTML: true, Description: "Bad Request: can't parse entities"}},
		{name: "400 chat not found", fault: faketelegram.Fault{Times: -1, Status: 400, Description: "Bad Request: chat not found"}, toAdmin: true},
		{name: "timeout", fault: faketelegram.Fault{Times: 2, Stall: true}},
		{name: "502", fault: faketelegram.Fault{Times: 2, Status: http.StatusBadGateway}},
	}
	tap := func(s *fixture, button string) { s.chat.Tap(buyer, buyer, button) }
	messages := []struct {
		name, text string
		do         func(s *fixture, b *bot, button string)
		purchases  int
	}{
		{name: "welcome", text: "Welcome", do: func(s *fixture, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/start") }},
		{name: "balance", text: "Your balance", do: func(s *fixture, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/balance") }},
		{name: "price", text: "GB cost", do: func(s *fixture, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/price 20") }},
		{name: "quote", text: "20 GB residential for", do: func(s *fixture, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/buy 20") }},
		{name: "no packages", text: "no package here yet", do: func(s *fixture, _ *bot, _ string) { s.chat.Write(buyer, buyer, "/packages") }},
		{name: "balance too low", text: "balance is too low", do: func(s *fixture, _ *bot, button string) {
			order, err := shop.ParseOrder(button)
			require.NoError(s.t, err)
			order.GB, order.Price = 1000, decimal.NewFromInt(900)
			tap(s, order.Key())
		}},
		{name: "bought", text: "You have", do: func(s *fixture, _ *bot, button string) { tap(s, button) }, purchases: 1},
		{name: "outcome unknown", text: "It is not known yet", do: func(s *fixture, _ *bot, button string) {
			s.api.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
			tap(s, button)
		}},
		{name: "low GB", text: "GB left.", do: func(s *fixture, b *bot, button string) {
			o, err := shop.ParseOrder(button)
			require.NoError(s.t, err)
			require.NoError(s.t, b.shop.Execute(s.t.Context(), o))
			r, err := b.shop.Once.Get(s.t.Context(), button)
			require.NoError(s.t, err)
			require.NoError(s.t, b.onEvent(s.t.Context(), &webhookverify.Event{Name: whozex.EventPackageLowGB, Data: fmt.Appendf(nil, `{"package_id":%q}`, r.ResultID)}))
		}, purchases: 1},
	}
	for _, failure := range failures {
		for _, message := range messages {
			t.Run(failure.name+"/"+message.name, func(t *testing.T) {
				s := newFixture(t)
				b, _ := s.start()
				button, n := s.prepareOrder(), len(s.chat.Sent())
				fault := failure.fault
				fault.Chat, fault.Words = buyer, message.text
				s.chat.Inject(fault)
				message.do(s, b, button)
				if failure.toAdmin {
					s.waitFor(n, "alarm", func(m faketelegram.Message) bool { return m.Chat == admin && strings.Contains(m.Text, "could not be") })
				} else {
					s.waitFor(n, message.text, func(m faketelegram.Message) bool { return m.Chat == buyer && strings.Contains(m.Text, message.text) })
				}
				assert.Equal(t, message.purchases, s.api.Commits(whozex.OpPurchasePackage))
				if message.name != "outcome unknown" {
					require.Eventually(t, func() bool {
						waiting, err := b.notices.pending(t.Context())
						return err == nil && len(waiting) == 0
					}, 10*time.Second, time.Millisecond, "no notice is left")
				}
			})
		}
	}
}

// The bot restarts before Telegram is back.
func TestBot_TelegramDownDuringRestart(t *testing.T) {
	s := newFixture(t)
	t.Setenv("WEBHOOK_URL", "")
	b, stop := s.start()
	button := s.prepareOrder()
	s.chat.Inject(faketelegram.Fault{Chat: buyer, Words: "You have", Times: 1, Status: 429, RetryAfter: 3600})
	s.chat.Tap(buyer, buyer, button)
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "order status not delivered") }, 20*time.Second, time.Millisecond)
	waiting, err := b.notices.pending(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]string{button: ""}, waiting)
	stop()
	n := len(s.chat.Sent())
	s.start()
	s.waitForText(n, "You have <code>PKG-")
	s.assertBoughtOnce()
}

// The bot is killed between the call and the message, and has no webhook. After the
// restart it reports what it knows, also in /packages, until an admin resolves the
// order.
func TestBot_CrashResolvedByAdmin(t *testing.T) {
	s := newFixture(t)
	t.Setenv("WEBHOOK_URL", "")
	first := s.startProcess()
	button := s.prepareOrder()
	s.api.Inject(whozex.OpPurchasePackage, whozextest.StallAfterCommit(), 1)
	s.chat.Tap(buyer, buyer, button)
	require.Eventually(t, func() bool { return s.api.Commits(whozex.OpPurchasePackage) == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	s.expireLeases()
	n := len(s.chat.Sent())
	b, _ := s.start()
	s.waitForText(n, "bought and paid for")
	assert.Contains(t, s.command(buyer, buyer, "/packages").Text, "20 GB residential: bought and paid for")
	assert.Contains(t, s.command(buyer, buyer, "/balance").Text, "and you have 1 package.")
	assert.Contains(t, s.command(buyer, buyer, "/resolve "+button+" yes").Text, "I know /balance", "the command is for admins only")
	n = len(s.chat.Sent()) // an alert may arrive before the replies
	s.chat.Write(admin, admin, "/resolve "+button+" perhaps")
	s.waitForText(n, "not an order and a decision")
	s.chat.Write(admin, admin, "/resolve buy:nothing no")
	s.waitForText(n, "no such order")
	id := ""
	for _, e := range s.api.Ledger() {
		id = max(id, e.PackageID)
	}
	n = len(s.chat.Sent())
	s.chat.Write(admin, admin, "/resolve "+button+" "+id)
	s.waitForText(n, "You have <code>"+id)
	s.waitForText(n, "The order is resolved")
	r, err := b.shop.Once.Get(t.Context(), button)
	require.NoError(t, err)
	assert.Equal(t, idempotency.FromPerson, r.Source)
	s.assertBoughtOnce()
}

// The bot stops before it has sent the order.
func TestBot_CrashBeforeCall(t *testing.T) {
	s := newFixture(t)
	b, stop := s.start()
	button := s.prepareOrder()
	require.NoError(t, b.notices.add(t.Context(), button))
	stop()
	n := len(s.chat.Sent())
	s.start()
	s.waitForText(n, "The order was not completed")
	assert.Zero(t, s.api.Requests(whozex.OpPurchasePackage))
}
