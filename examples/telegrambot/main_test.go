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

// TestMain is the bot itself when a test starts it as a process to kill.
func TestMain(m *testing.M) {
	if os.Getenv("BOT_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// market is a sandbox, a Telegram and the settings of a bot between them.
type market struct {
	t    *testing.T
	api  *whozextest.Server
	chat *faketelegram.Server
	log  *lockedBuffer
	file string // of the orders
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

func newMarket(t *testing.T, opts ...whozextest.Option) *market {
	t.Helper()
	s := &market{t: t, api: whozextest.NewServer(opts...), chat: faketelegram.New(token), log: &lockedBuffer{}, file: filepath.Join(t.TempDir(), "bot.db")}
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

// run starts the bot in this process; end stops it as an interrupt would.
func (s *market) run() (b *bot, end func()) {
	s.t.Helper()
	b, err := open(s.t.Context(), slog.New(slog.NewTextHandler(s.log, nil)))
	require.NoError(s.t, err)
	b.patience, b.pause = 300*time.Millisecond, time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.serve(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		assert.NoError(s.t, <-ended)
		assert.NoError(s.t, b.close())
	})
	s.t.Cleanup(end)
	return b, end
}

// process starts the bot as a process of its own.
func (s *market) process() *exec.Cmd {
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

// hears waits for a message with the words, from the n-th on.
func (s *market) hears(n int, words string) faketelegram.Message {
	s.t.Helper()
	return s.next(n, words, func(m faketelegram.Message) bool { return strings.Contains(m.Text, words) })
}

func (s *market) next(n int, what string, wanted func(faketelegram.Message) bool) faketelegram.Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	m, err := s.chat.Next(ctx, n, wanted)
	require.NoError(s.t, err, "%s: %s", what, s.log)
	return m
}

// ask writes a command and returns the first response in that chat.
func (s *market) ask(user, chat int64, text string) faketelegram.Message {
	s.t.Helper()
	n := len(s.chat.Sent())
	s.chat.Write(user, chat, text)
	return s.next(n, text, func(m faketelegram.Message) bool { return m.Chat == chat })
}

// open brings the buyer to the point of having money and a button.
func (s *market) open() (button string) {
	s.t.Helper()
	s.ask(buyer, buyer, "/start")
	assert.Contains(s.t, s.ask(admin, admin, fmt.Sprintf("/topup %d 50", buyer)).Text, "Topped up by $50.00")
	m := s.ask(buyer, buyer, "/buy 20")
	require.Len(s.t, m.Buttons, 1)
	assert.Equal(s.t, "Buy for $18.00", m.Buttons[0].Text)
	return m.Buttons[0].CallbackData
}

func (s *market) boughtOnce() {
	s.t.Helper()
	assert.Equal(s.t, 1, s.api.Commits(whozex.OpPurchasePackage))
	spent := decimal.Zero
	for _, e := range s.api.Ledger() {
		if e.To == whozextest.LedgerSpent {
			spent = spent.Add(e.Amount)
		}
	}
	assert.Equal(s.t, "18", spent.String(), "the ledger knows one purchase")
}

func TestADoubleTapBuysOnce(t *testing.T) {
	s := newMarket(t, whozextest.WithLatency(20*time.Millisecond))
	s.run()
	button, n := s.open(), len(s.chat.Sent())
	tap := s.chat.Tap(buyer, buyer, button)
	s.chat.Tap(buyer, buyer, button)
	s.chat.Again(tap)
	s.hears(n, "You have <code>PKG-")
	for range 2 {
		n++
		s.hears(n, "")
	}
	s.boughtOnce()
	assert.Contains(t, s.ask(buyer, buyer, "/packages").Text, "20 of 20 GB left")
	assert.Contains(t, s.ask(buyer, buyer, "/balance").Text, "$32.00")
	assert.Contains(t, s.ask(admin, admin, "/stats").Text, "0 orders not settled")
}

func TestSomebodyElsesButtonBuysNothing(t *testing.T) {
	s := newMarket(t)
	s.run()
	button := s.open()
	s.ask(admin, admin, "/start")
	n := len(s.chat.Sent())
	s.chat.Tap(admin, admin, button)
	s.hears(n, "no such order")
	assert.Zero(t, s.api.Requests(whozex.OpPurchasePackage))
}

func TestAButtonWithAnotherPriceBuysNothing(t *testing.T) {
	s := newMarket(t)
	s.run()
	button, n := s.open(), len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, strings.TrimSuffix(button, ":18")+":17")
	s.hears(n, "The price is $18.00 now, not $17.00")
	assert.Zero(t, s.api.Requests(whozex.OpPurchasePackage))
}

func TestACrashBetweenCallAndAnswerBuysOnce(t *testing.T) {
	for name, events := range map[string]bool{"the event tells the package": true, "without events": false} {
		t.Run(name, func(t *testing.T) {
			s := newMarket(t)
			if !events {
				t.Setenv("WEBHOOK_URL", "")
			}
			first := s.process()
			button := s.open()
			s.api.Inject(whozex.OpPurchasePackage, whozextest.StallAfterCommit(), 1)
			tap := s.chat.Tap(buyer, buyer, button)
			require.Eventually(t, func() bool { return s.api.Commits(whozex.OpPurchasePackage) == 1 }, 20*time.Second, time.Millisecond)
			require.NoError(t, s.api.WaitDeliveries(t.Context()))
			require.NoError(t, first.Process.Kill())
			_ = first.Wait()

			n := len(s.chat.Sent())
			second := s.process()
			s.chat.Again(tap)
			s.hears(n, "is being carried out") // for all that is known, it is
			require.NoError(t, second.Process.Kill())
			_ = second.Wait()
			s.leasesRunOut()

			s.process()
			s.chat.Tap(buyer, buyer, button)
			if events {
				s.hears(n, "You have <code>PKG-")
			} else {
				s.hears(n, "bought and paid for")
			}
			s.boughtOnce()
			assert.Equal(t, 1, s.api.Requests(whozex.OpPurchasePackage))
		})
	}
}

// leasesRunOut is the minute after a crash.
func (s *market) leasesRunOut() {
	s.t.Helper()
	db, err := sql.Open("sqlite", s.file)
	require.NoError(s.t, err)
	_, err = db.ExecContext(s.t.Context(), `UPDATE whozex_operations SET lease_until = 0`)
	require.NoError(s.t, err)
	require.NoError(s.t, db.Close())
}

func TestALostAnswerIsToldAndBroughtBackByTheEvent(t *testing.T) {
	s := newMarket(t)
	s.run()
	button, n := s.open(), len(s.chat.Sent())
	s.api.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	s.chat.Tap(buyer, buyer, button)
	s.hears(n, "You have <code>PKG-")
	s.boughtOnce()
}

func TestWhatNobodyKnowsStaysIndeterminate(t *testing.T) {
	s := newMarket(t)
	s.run()
	button, n := s.open(), len(s.chat.Sent())
	s.api.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
	s.chat.Tap(buyer, buyer, button)
	s.hears(n, "It is not known yet")
	n = len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, button)
	s.hears(n, "It is not known yet")
	m := s.ask(buyer, buyer, "/buy 1")
	n = len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, m.Buttons[0].CallbackData)
	s.hears(n, "not settled yet")
	assert.Equal(t, 1, s.api.Requests(whozex.OpPurchasePackage))
}

func TestARefusedPurchaseIsSaidToBeRefused(t *testing.T) {
	s := newMarket(t)
	s.run()
	s.ask(buyer, buyer, "/start")
	m := s.ask(buyer, buyer, "/buy 20 mobile")
	n := len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, m.Buttons[0].CallbackData)
	s.hears(n, "the balance is too low")
}

func TestBadInputIsAnsweredAndCostsNoRequest(t *testing.T) {
	s := newMarket(t)
	s.run()
	s.ask(buyer, buyer, "/start")
	before := len(s.api.RequestLog())
	for _, bad := range []string{"../", "1e9", "0.001", "-5", "٣", "", "0", "<b>", strings.Repeat("💥", 1000)} {
		for _, command := range []string{"/price ", "/buy ", "/buy 20 ", "/credentials "} {
			if command+bad == "/buy 20 " {
				continue // which is no bad input
			}
			answer := s.ask(buyer, buyer, command+bad).Text
			assert.Less(t, len(answer), 400)
			assert.NotContains(t, answer, "<b>")
			assert.Regexp(t, "is not a|must be at least 1|no package", answer)
		}
		for _, args := range []string{fmt.Sprintf("%d ", buyer) + bad, bad + " 25", bad} {
			answer := s.ask(admin, admin, "/topup "+args).Text
			assert.Regexp(t, "is not a user and an amount|has not sent", answer)
		}
	}
	assert.Len(t, s.api.RequestLog(), before)
}

func TestWhoMayDoWhat(t *testing.T) {
	s := newMarket(t)
	s.run()
	assert.Contains(t, s.ask(buyer, buyer, "/balance").Text, "Send /start first")
	assert.Contains(t, s.ask(buyer, buyer, "/topup 42 50").Text, "I know /balance")
	assert.Contains(t, s.ask(buyer, buyer, "/stats").Text, "I know /balance")
	assert.Contains(t, s.ask(buyer, group, "/start@shop_bot").Text, "Welcome")
	assert.Contains(t, s.ask(buyer, buyer, "/start").Text, "Welcome", "a second start links the same user")
	assert.Equal(t, 1, s.api.Commits(whozex.OpCreateUser))
}

func TestCredentialsAreShownInPrivateAlone(t *testing.T) {
	s := newMarket(t)
	s.run()
	button, n := s.open(), len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, button)
	text := s.hears(n, "You have <code>PKG-").Text
	id := text[strings.Index(text, "PKG-"):][:len("PKG-000000")]
	assert.Contains(t, s.ask(buyer, group, "/credentials "+id).Text, "private chat")
	shown := s.ask(buyer, buyer, "/credentials "+id+" tr Istanbul").Text
	assert.Contains(t, shown, "<code>rp.evomi.com:1000:wx")
	assert.Contains(t, shown, "_country-TR_city-Istanbul</code>")
	assert.Contains(t, s.ask(buyer, buyer, "/credentials "+id+" Turkey").Text, "two-letter")
	s.ask(admin, admin, "/start")
	assert.Contains(t, s.ask(admin, admin, "/credentials "+id).Text, "no package")
}

func TestLittleLeftIsToldOnceForEachCrossing(t *testing.T) {
	s := newMarket(t)
	b, _ := s.run()
	button, n := s.open(), len(s.chat.Sent())
	s.chat.Tap(buyer, buyer, button)
	text := s.hears(n, "You have <code>PKG-").Text
	id := text[strings.Index(text, "PKG-"):][:len("PKG-000000")]
	low := func() int {
		count := 0
		for _, m := range s.chat.Sent() {
			if strings.Contains(m.Text, "GB left.") {
				count++
			}
		}
		return count
	}
	require.NoError(t, s.api.UseGB(id, decimal.NewFromInt(19)))
	s.hears(n, "1 of 20 GB left.")
	again := &webhookverify.Event{Name: whozex.EventPackageLowGB, Data: []byte(`{"package_id":"` + id + `"}`)}
	require.NoError(t, b.onEvent(t.Context(), again))
	assert.Equal(t, 1, low(), "the same crossing")
	_, err := s.api.Client().AddGB(t.Context(), id, whozex.AddGBParams{GB: 10})
	require.NoError(t, err)
	require.NoError(t, b.onEvent(t.Context(), again))
	assert.Equal(t, 2, low(), "the next one")

	for _, data := range []string{`{"package":"<i>"}`, `[1]`, `{"package_id":7}`} {
		n := len(s.chat.Sent())
		body := `{"event":"package.low_gb","data":` + data + `}`
		require.NoError(t, b.onEvent(t.Context(), &webhookverify.Event{Name: whozex.EventPackageLowGB, Data: []byte(data), Body: []byte(body)}))
		m := s.hears(n, "cannot be read")
		assert.EqualValues(t, admin, m.Chat)
		assert.NotContains(t, m.Text, "<i>")
	}
}

func TestTheWebhookIsRegisteredOnce(t *testing.T) {
	s := newMarket(t)
	for range 3 {
		_, end := s.run()
		s.ask(buyer, buyer, "/start")
		end()
	}
	assert.Equal(t, 1, s.api.Commits(whozex.OpCreateWebhook))
}

func TestAWebhookThatIsRefusedIsNotTriedForEver(t *testing.T) {
	s := newMarket(t)
	s.api.InjectEvery(whozex.OpCreateWebhook, 1, whozextest.ServerErrorAfterCommit(500))
	for range 5 {
		n := len(s.chat.Sent())
		_, end := s.run()
		s.hears(n, "There are no webhooks")
		end()
	}
	assert.Equal(t, shop.MostTries, s.api.Commits(whozex.OpCreateWebhook))
}

func TestLogsHoldNoSecret(t *testing.T) {
	s := newMarket(t)
	b, end := s.run()
	s.open()
	s.chat.Close()
	b.tell(t.Context(), buyer, "to nobody")
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "get updates") }, 20*time.Second, time.Millisecond)
	end()
	again, err := shop.Open(t.Context(), os.Getenv("BOT_DATABASE"), nil, nil)
	require.NoError(t, err)
	defer again.Close()
	hook, err := again.Webhook(t.Context(), os.Getenv("WEBHOOK_URL"), whozex.EventPackageCreated, whozex.EventPackageLowGB)
	require.NoError(t, err)
	require.NotEmpty(t, hook.Secret)
	for _, secret := range []string{token, s.api.APIKey, string(hook.Secret)} {
		assert.NotContains(t, s.log.String(), secret)
	}
}

func TestTheDemoSellsInTheTerminal(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BOT_MAIN=1", "TELEGRAM_BOT_TOKEN=", "WHOZEX_API_KEY=")
	cmd.Stdin = strings.NewReader("/start\n/topup 1 50\n/buy 20\n1\n1\n/stats\n")
	out, err := cmd.Output()
	require.NoError(t, err)
	for _, answer := range []string{"Welcome", "Topped up by $50.00", "[1] Buy for $18.00", "You have <code>PKG-", "spent $18.00, 1 user, 1 package, 0 orders"} {
		assert.Contains(t, string(out), answer)
	}
}
