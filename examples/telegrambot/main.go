// Command telegrambot sells proxy packages on Telegram.
//
// Without settings it runs on a sandbox of the API and a stand-in of Telegram, in
// the terminal. With TELEGRAM_BOT_TOKEN and WHOZEX_API_KEY it is real. Further:
//
//	TELEGRAM_ADMINS   numbers of the users who may /topup and /stats, 1,2
//	BOT_DATABASE      file to keep orders in, telegrambot.db
//	BOT_DOMAIN        domain of the customers' emails, telegram.example
//	WEBHOOK_URL       https address under which WEBHOOK_LISTEN is reached; without
//	                  it no events come, and a lost purchase needs an admin
//	WEBHOOK_LISTEN    address to listen on, 127.0.0.1:8443
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/whozex/whozex-go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	start := run
	if os.Getenv("TELEGRAM_BOT_TOKEN") == "" {
		start = demo
	}
	if err := start(ctx); err != nil {
		slog.Error("telegrambot", "error", err)
		os.Exit(1)
	}
}

// bot sells packages.
type bot struct {
	api     *whozex.Client
	chat    *telegram.Bot
	store   *store
	log     *slog.Logger
	admins  []int64
	domain  string
	running sync.WaitGroup // calls that spend

	settling sync.Mutex
}

func run(ctx context.Context) error {
	b, err := open(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return errors.Join(b.serve(ctx), b.store.db.Close())
}

// open makes a bot by the environment.
func open(log *slog.Logger) (b *bot, err error) {
	b = &bot{log: log, domain: cmp.Or(os.Getenv("BOT_DOMAIN"), "telegram.example")}
	for text := range strings.SplitSeq(os.Getenv("TELEGRAM_ADMINS"), ",") {
		if id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			b.admins = append(b.admins, id)
		}
	}
	if b.api, err = whozex.FromEnv(whozex.WithLogger(b.log)); err != nil {
		return nil, err
	}
	if b.chat, err = telegram.New(os.Getenv("TELEGRAM_BOT_TOKEN"),
		telegram.WithServerURL(cmp.Or(os.Getenv("TELEGRAM_SERVER"), "https://api.telegram.org")),
		telegram.WithDefaultHandler(b.onUpdate),
		telegram.WithErrorsHandler(func(err error) { b.log.Warn("telegram", "error", err) })); err != nil {
		return nil, err
	}
	b.store, err = openStore(cmp.Or(os.Getenv("BOT_DATABASE"), "telegrambot.db"))
	return b, err
}

func (b *bot) serve(ctx context.Context) error {
	if err := b.resume(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var tasks sync.WaitGroup
	if url := os.Getenv("WEBHOOK_URL"); url != "" {
		// It listens before it registers: events may come at once.
		listener, err := net.Listen("tcp", cmp.Or(os.Getenv("WEBHOOK_LISTEN"), "127.0.0.1:8443"))
		if err != nil {
			return err
		}
		hook, err := b.register(ctx, url)
		if err != nil {
			b.alarm(ctx, say("There are no webhooks: %v.", err))
			_ = listener.Close()
		} else {
			tasks.Go(func() {
				if err := b.receive(ctx, listener, hook.Secret); err != nil {
					cancel(fmt.Errorf("webhooks: %w", err))
				}
			})
		}
	}
	tasks.Go(func() { b.settleAll(ctx, 30*time.Second) })
	b.chat.Start(ctx)
	b.running.Wait()
	tasks.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (b *bot) onUpdate(ctx context.Context, _ *telegram.Bot, update *models.Update) {
	switch {
	case update.Message != nil:
		b.onMessage(ctx, update.Message)
	case update.CallbackQuery != nil:
		b.onTap(ctx, update.CallbackQuery)
	}
}

// tell sends HTML to a chat. What Telegram does not take is logged: the order is
// in the store either way.
func (b *bot) tell(ctx context.Context, chat int64, text string, buttons ...models.InlineKeyboardButton) {
	message := &telegram.SendMessageParams{ChatID: chat, Text: text, ParseMode: models.ParseModeHTML}
	if len(buttons) > 0 {
		message.ReplyMarkup = &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{buttons}}
	}
	if _, err := b.chat.SendMessage(ctx, message); err != nil {
		b.log.Warn("tell", "error", err)
	}
}

// alarm tells the admins.
func (b *bot) alarm(ctx context.Context, text string) {
	b.log.Warn("alarm", "text", text)
	for _, admin := range b.admins {
		b.tell(ctx, admin, text)
	}
}

func (b *bot) acknowledge(ctx context.Context, q *models.CallbackQuery) {
	if _, err := b.chat.AnswerCallbackQuery(ctx, &telegram.AnswerCallbackQueryParams{CallbackQueryID: q.ID}); err != nil {
		b.log.Warn("acknowledge", "error", err)
	}
}

// fail logs an error and tells as much of it as is good for a customer.
func (b *bot) fail(ctx context.Context, chat int64, err error) {
	var wrong inputError
	if errors.As(err, &wrong) {
		b.tell(ctx, chat, say("%v", wrong))
		return
	}
	b.log.Warn("request", "error", err)
	b.tell(ctx, chat, say("That did not work: %v.", reason(err)))
}

// keep logs what the store could not keep. The order stays in the state before,
// from which a restart takes it up.
func (b *bot) keep(err error) {
	if err != nil {
		b.log.Error("store", "error", err)
	}
}
