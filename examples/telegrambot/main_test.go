package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/internal/shop"
	"github.com/whozex/whozex-go/examples/telegrambot/faketelegram"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

const (
	token = "1:secret-token"
	admin = 7
	buyer = 42
	group = -100
)

// TestMain runs the bot if a test has started this binary as a child process.
func TestMain(m *testing.M) {
	if os.Getenv("BOT_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// fixture has fake servers of the API and of Telegram, and the bot's settings.
type fixture struct {
	t    *testing.T
	api  *whozextest.Server
	chat *faketelegram.Server
	log  *lockedBuffer
	file string // the database
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func newFixture(t *testing.T, opts ...whozextest.Option) *fixture {
	t.Helper()
	s := &fixture{t: t, api: whozextest.NewServer(opts...), chat: faketelegram.New(token), log: &lockedBuffer{}, file: filepath.Join(t.TempDir(), "bot.db")}
	t.Cleanup(s.api.Close)
	t.Cleanup(s.chat.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	for name, value := range map[string]string{
		"WHOZEX_API_KEY": s.api.APIKey, "WHOZEX_BASE_URL": s.api.URL,
		"TELEGRAM_BOT_TOKEN": token, "TELEGRAM_SERVER": s.chat.URL, "TELEGRAM_ADMINS": fmt.Sprint(admin),
		"BOT_DATABASE":   "sqlite:" + s.file,
		"WEBHOOK_LISTEN": addr, "WEBHOOK_URL": "http://" + addr + "/webhooks",
	} {
		t.Setenv(name, value)
	}
	return s
}

// start starts the bot in this process. stop stops it as an interrupt would.
func (s *fixture) start() (b *bot, stop func()) {
	s.t.Helper()
	b, err := open(s.t.Context(), slog.New(slog.NewTextHandler(s.log, nil)))
	require.NoError(s.t, err)
	b.sendTimeout, b.backoff = 300*time.Millisecond, time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- b.serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(s.t, <-served)
		assert.NoError(s.t, b.close())
	})
	s.t.Cleanup(stop)
	return b, stop
}

// startProcess starts the bot as a child process.
func (s *fixture) startProcess() *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BOT_MAIN=1")
	cmd.Stderr = s.log
	require.NoError(s.t, cmd.Start())
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// waitForText waits for a message that contains text, after the first n messages.
func (s *fixture) waitForText(n int, text string) faketelegram.Message {
	s.t.Helper()
	return s.waitFor(n, text, func(m faketelegram.Message) bool { return strings.Contains(m.Text, text) })
}

func (s *fixture) waitFor(n int, description string, match func(faketelegram.Message) bool) faketelegram.Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	m, err := s.chat.Next(ctx, n, match)
	require.NoError(s.t, err, "%s: %s", description, s.log)
	return m
}

// command sends a command and returns the first reply in that chat.
func (s *fixture) command(user, chat int64, text string) faketelegram.Message {
	s.t.Helper()
	n := len(s.chat.Sent())
	s.chat.Write(user, chat, text)
	return s.waitFor(n, text, func(m faketelegram.Message) bool { return m.Chat == chat })
}

// prepareOrder funds the buyer and returns the data of a button that buys 20 GB.
func (s *fixture) prepareOrder() (button string) {
	s.t.Helper()
	s.command(buyer, buyer, "/start")
	assert.Contains(s.t, s.command(admin, admin, fmt.Sprintf("/topup %d 50", buyer)).Text, "Topped up by $50.00")
	m := s.command(buyer, buyer, "/buy 20")
	require.Len(s.t, m.Buttons, 1)
	assert.Equal(s.t, "Buy for $18.00", m.Buttons[0].Text)
	return m.Buttons[0].CallbackData
}

func (s *fixture) assertBoughtOnce() {
	s.t.Helper()
	assert.Equal(s.t, 1, s.api.Commits(whozex.OpPurchasePackage))
	spent := decimal.Zero
	for _, e := range s.api.Ledger() {
		if e.To == whozextest.LedgerSpent {
			spent = spent.Add(e.Amount)
		}
	}
	assert.Equal(s.t, "18", spent.String(), "the ledger must have one purchase")
}

func TestBot_DoubleTap(t *testing.T) {
	s := newFixture(t, whozextest.WithLatency(20*time.Millisecond))
	s.start()
	button, n := s.prepareOrder(), len(s.chat.Sent())
	tap := s.chat.Tap(buyer, buyer, button)
	s.chat.Tap(buyer, buyer, button)
	s.chat.Redeliver(tap)
	s.waitForText(n, "You have <code>PKG-")
	for range 2 {
		n++
		s.waitForText(n, "")
	}
	s.assertBoughtOnce()
	assert.Contains(t, s.command(buyer, buyer, "/packages").Text, "20 of 20 GB left")
	assert.Contains(t, s.command(buyer, buyer, "/balance").Text, "$32.00")
	assert.Contains(t, s.command(admin, admin, "/stats").Text, "0 orders open")
}

func TestBot_ButtonOfAnotherUser(t *testing.T) {
	s := newFixture(t)
	s.start()
	button := s.prepareOrder()
	s.command(admin, admin, "/start")
	n := len(s.chat.Sent())
	s.chat.Tap(admin, admin, button)
	s.waitForText(n, "no such order")
	assert.Zero(t, s.api.Requests(whozex.OpPurchasePackage))
}

func TestBot_PriceChanged(t *testing.T) {
	s := newFixture(t)
	s.start()
	button, n := s.prepareOrder(), len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, strings.TrimSuffix(button, ":18")+":17")
	s.waitForText(n, "The price is now $18.00, not $17.00")
	assert.Zero(t, s.api.Requests(whozex.OpPurchasePackage))
}

func TestBot_CrashBeforeResponse(t *testing.T) {
	for name, events := range map[string]bool{"with events": true, "without events": false} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(t)
			if !events {
				t.Setenv("WEBHOOK_URL", "")
			}
			first := s.startProcess()
			button := s.prepareOrder()
			s.api.Inject(whozex.OpPurchasePackage, whozextest.StallAfterCommit(), 1)
			tap := s.chat.Tap(buyer, buyer, button)
			require.Eventually(t, func() bool { return s.api.Commits(whozex.OpPurchasePackage) == 1 }, 20*time.Second, time.Millisecond)
			require.NoError(t, s.api.WaitDeliveries(t.Context()))
			require.NoError(t, first.Process.Kill())
			_ = first.Wait()

			n := len(s.chat.Sent())
			second := s.startProcess()
			s.chat.Redeliver(tap)
			s.waitForText(n, "is in progress") // the killed process counts as alive until its lease is over
			require.NoError(t, second.Process.Kill())
			_ = second.Wait()
			s.expireLeases()

			s.startProcess()
			s.chat.Tap(buyer, buyer, button)
			if events {
				s.waitForText(n, "You have <code>PKG-")
			} else {
				s.waitForText(n, "bought and paid for")
			}
			s.assertBoughtOnce()
			assert.Equal(t, 1, s.api.Requests(whozex.OpPurchasePackage))
		})
	}
}

// expireLeases ends all leases, as waiting for a minute would.
func (s *fixture) expireLeases() {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.file)
	require.NoError(s.t, err)
	_, err = db.ExecContext(s.t.Context(), `UPDATE whozex_operations SET lease_until = 0`)
	require.NoError(s.t, err)
	require.NoError(s.t, db.Close())
}

func TestBot_LostResponseResolvedByEvent(t *testing.T) {
	s := newFixture(t)
	s.start()
	button, n := s.prepareOrder(), len(s.chat.Sent())
	s.api.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	s.chat.Tap(buyer, buyer, button)
	s.waitForText(n, "You have <code>PKG-")
	s.assertBoughtOnce()
}

func TestBot_IndeterminatePurchase(t *testing.T) {
	s := newFixture(t)
	s.start()
	button, n := s.prepareOrder(), len(s.chat.Sent())
	s.api.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
	s.chat.Tap(buyer, buyer, button)
	s.waitForText(n, "It is not known yet")
	n = len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, button)
	s.waitForText(n, "It is not known yet")
	m := s.command(buyer, buyer, "/buy 1")
	n = len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, m.Buttons[0].CallbackData)
	s.waitForText(n, "not finished yet")
	assert.Equal(t, 1, s.api.Requests(whozex.OpPurchasePackage))
}

func TestBot_BalanceTooLow(t *testing.T) {
	s := newFixture(t)
	s.start()
	s.command(buyer, buyer, "/start")
	m := s.command(buyer, buyer, "/buy 20 mobile")
	n := len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, m.Buttons[0].CallbackData)
	s.waitForText(n, "the balance is too low")
}

func TestBot_InvalidInput(t *testing.T) {
	s := newFixture(t)
	s.start()
	s.command(buyer, buyer, "/start")
	before := len(s.api.RequestLog())
	for _, input := range []string{"../", "1e9", "0.001", "-5", "٣", "", "0", "<b>", strings.Repeat("💥", 1000)} {
		for _, command := range []string{"/price ", "/buy ", "/buy 20 ", "/credentials "} {
			if command+input == "/buy 20 " {
				continue // valid
			}
			reply := s.command(buyer, buyer, command+input).Text
			assert.Less(t, len(reply), 400)
			assert.NotContains(t, reply, "<b>")
			assert.Regexp(t, "is not a|must be at least 1|no package", reply)
		}
		for _, args := range []string{fmt.Sprintf("%d ", buyer) + input, input + " 25", input} {
			reply := s.command(admin, admin, "/topup "+args).Text
			assert.Regexp(t, "is not a user and an amount|has not sent", reply)
		}
	}
	assert.Len(t, s.api.RequestLog(), before)
}

func TestBot_Permissions(t *testing.T) {
	s := newFixture(t)
	s.start()
	assert.Contains(t, s.command(buyer, buyer, "/balance").Text, "Send /start first")
	assert.Contains(t, s.command(buyer, buyer, "/topup 42 50").Text, "I know /balance")
	assert.Contains(t, s.command(buyer, buyer, "/stats").Text, "I know /balance")
	assert.Contains(t, s.command(buyer, group, "/start@shop_bot").Text, "Welcome")
	assert.Contains(t, s.command(buyer, buyer, "/start").Text, "Welcome", "a second start links the same user")
	assert.Equal(t, 1, s.api.Commits(whozex.OpCreateUser))
}

func TestBot_CredentialsInPrivateChatOnly(t *testing.T) {
	s := newFixture(t)
	s.start()
	button, n := s.prepareOrder(), len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, button)
	text := s.waitForText(n, "You have <code>PKG-").Text
	id := text[strings.Index(text, "PKG-"):][:len("PKG-000000")]
	assert.Contains(t, s.command(buyer, group, "/credentials "+id).Text, "private chat")
	shown := s.command(buyer, buyer, "/credentials "+id+" tr Istanbul").Text
	assert.Contains(t, shown, "<code>rp.evomi.com:1000:wx")
	assert.Contains(t, shown, "_country-TR_city-Istanbul</code>")
	assert.Contains(t, s.command(buyer, buyer, "/credentials "+id+" Turkey").Text, "two-letter")
	s.command(admin, admin, "/start")
	assert.Contains(t, s.command(admin, admin, "/credentials "+id).Text, "no package")
}

func TestBot_LowGBNotification(t *testing.T) {
	s := newFixture(t)
	b, _ := s.start()
	button, n := s.prepareOrder(), len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, button)
	text := s.waitForText(n, "You have <code>PKG-").Text
	id := text[strings.Index(text, "PKG-"):][:len("PKG-000000")]
	notifications := func() int {
		count := 0
		for _, m := range s.chat.Sent() {
			if strings.Contains(m.Text, "GB left.") {
				count++
			}
		}
		return count
	}
	require.NoError(t, s.api.UseGB(id, decimal.NewFromInt(19)))
	s.waitForText(n, "1 of 20 GB left.")
	event := &webhookverify.Event{Name: whozex.EventPackageLowGB, Data: []byte(`{"package_id":"` + id + `"}`)}
	require.NoError(t, b.onEvent(t.Context(), event))
	assert.Equal(t, 1, notifications(), "a redelivered event must not notify again")
	_, err := s.api.Client().AddGB(t.Context(), id, whozex.AddGBParams{GB: 10})
	require.NoError(t, err)
	require.NoError(t, b.onEvent(t.Context(), event))
	assert.Equal(t, 2, notifications(), "after AddGB the owner is notified again")

	for _, data := range []string{`{"package":"<i>"}`, `[1]`, `{"package_id":7}`} {
		n := len(s.chat.Sent())
		body := `{"event":"package.low_gb","data":` + data + `}`
		require.NoError(t, b.onEvent(t.Context(), &webhookverify.Event{Name: whozex.EventPackageLowGB, Data: []byte(data), Body: []byte(body)}))
		m := s.waitForText(n, "could not be decoded")
		assert.EqualValues(t, admin, m.Chat)
		assert.NotContains(t, m.Text, "<i>")
	}
}

func TestBot_WebhookRegisteredOnce(t *testing.T) {
	s := newFixture(t)
	for range 3 {
		_, stop := s.start()
		s.command(buyer, buyer, "/start")
		stop()
	}
	assert.Equal(t, 1, s.api.Commits(whozex.OpCreateWebhook))
}

func TestBot_WebhookAttemptsAreLimited(t *testing.T) {
	s := newFixture(t)
	s.api.InjectEvery(whozex.OpCreateWebhook, 1, whozextest.ServerErrorAfterCommit(500))
	for range 5 {
		n := len(s.chat.Sent())
		_, stop := s.start()
		s.waitForText(n, "The webhook could not be registered")
		stop()
	}
	assert.Equal(t, shop.MaxWebhookAttempts, s.api.Commits(whozex.OpCreateWebhook))
}

func TestBot_LogsContainNoSecrets(t *testing.T) {
	s := newFixture(t)
	b, stop := s.start()
	s.prepareOrder()
	s.chat.Close()
	b.sendMessage(t.Context(), buyer, "to nobody")
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "get updates") }, 20*time.Second, time.Millisecond)
	stop()
	reopened, err := shop.Open(t.Context(), os.Getenv("BOT_DATABASE"), nil, nil)
	require.NoError(t, err)
	defer reopened.Close()
	hook, err := reopened.Webhook(t.Context(), os.Getenv("WEBHOOK_URL"), whozex.EventPackageCreated, whozex.EventPackageLowGB)
	require.NoError(t, err)
	require.NotEmpty(t, hook.Secret)
	for _, secret := range []string{token, s.api.APIKey, string(hook.Secret)} {
		assert.NotContains(t, s.log.String(), secret)
	}
}

func TestDemo(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BOT_MAIN=1", "TELEGRAM_BOT_TOKEN=", "WHOZEX_API_KEY=")
	cmd.Stdin = strings.NewReader("/start\n/topup 1 50\n/buy 20\n1\n1\n/stats\n")
	out, err := cmd.Output()
	require.NoError(t, err)
	for _, text := range []string{"Welcome", "Topped up by $50.00", "[1] Buy for $18.00", "You have <code>PKG-", "spent $18.00, 1 user, 1 package, 0 orders"} {
		assert.Contains(t, string(out), text)
	}
}
