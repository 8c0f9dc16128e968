// Command telegrambot sells proxy packages on Telegram.
//
// Without settings it runs in the terminal, on fake servers of the API and of
// Telegram. With TELEGRAM_BOT_TOKEN and WHOZEX_API_KEY it uses the real ones. Other
// settings:
//
//	TELEGRAM_ADMINS   numbers of the users who may /topup, /resolve and /stats: 1,2
//	BOT_DATABASE      database of the orders: sqlite:telegrambot.db, or postgres://…
//	BOT_DOMAIN        domain of the customers' emails: telegram.example
//	WEBHOOK_URL       public https URL of WEBHOOK_LISTEN; without it there are no
//	                  events, and an admin must resolve a lost purchase
//	WEBHOOK_LISTEN    address to listen on: 127.0.0.1:8443
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
	"golang.org/x/sync/errgroup"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/internal/shop"
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

// bot is the frontend of a shop on Telegram.
type bot struct {
	api         *whozex.Client
	chat        *telegram.Bot
	shop        *shop.Shop
	log         *slog.Logger
	admins      []int64
	domain      string
	notices     *notices
	notifying   sync.Map      // keys of orders whose requester is being notified
	executing   sync.Map      // keys of orders in progress in this process
	sendTimeout time.Duration // for one attempt to send a message
	backoff     time.Duration // before the first retry of a message
	stopped     chan struct{}
	lowNotified sync.Map // by package id: the total GB when the owner was last notified of a low rest
}

func run(ctx context.Context) error {
	b, err := open(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return errors.Join(b.serve(ctx), b.close())
}

func (b *bot) close() error { return errors.Join(b.shop.Close(), b.notices.db.Close()) }

// open creates a bot from the environment variables.
func open(ctx context.Context, log *slog.Logger) (b *bot, err error) {
	b = &bot{log: log, sendTimeout: 15 * time.Second, backoff: time.Second, stopped: make(chan struct{}), domain: cmp.Or(os.Getenv("BOT_DOMAIN"), "telegram.example")}
	for text := range strings.FieldsFuncSeq(os.Getenv("TELEGRAM_ADMINS"), func(r rune) bool { return r == ',' || r == ' ' }) {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("TELEGRAM_ADMINS: %w", err)
		}
		b.admins = append(b.admins, id)
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
	database := cmp.Or(os.Getenv("BOT_DATABASE"), "sqlite:telegrambot.db")
	if b.shop, err = shop.Open(ctx, database, b.api, log); err != nil {
		return nil, err
	}
	if b.notices, err = openNotices(ctx, database); err != nil {
		return nil, errors.Join(err, b.shop.Close())
	}
	b.shop.Notify = b.reportStatus
	b.shop.AlertAdmin = func(ctx context.Context, text string) { b.notifyAdmins(ctx, formatHTML("%v", text)) }
	return b, nil
}

func (b *bot) serve(ctx context.Context) error {
	tasks, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, func() { close(b.stopped) })
	if url := os.Getenv("WEBHOOK_URL"); url != "" {
		// Listen before registering: events may arrive at once.
		listener, err := net.Listen("tcp", cmp.Or(os.Getenv("WEBHOOK_LISTEN"), "127.0.0.1:8443"))
		if err != nil {
			return err
		}
		defer listener.Close()
		hook, err := b.shop.Webhook(ctx, url, whozex.EventPackageCreated, whozex.EventPackageLowGB)
		if err != nil {
			b.notifyAdmins(ctx, formatHTML("The webhook could not be registered: %v.", err))
		} else {
			tasks.Go(func() error { return b.shop.ServeWebhook(ctx, listener, hook.Secret.Reveal(), b.onEvent) })
		}
	}
	tasks.Go(func() error { b.shop.Settle(ctx, 30*time.Second); return nil })
	tasks.Go(func() error { b.retryNotices(ctx, 30*time.Second); return nil })
	tasks.Go(func() error { b.chat.Start(ctx); return nil })
	return tasks.Wait()
}

func (b *bot) onUpdate(ctx context.Context, _ *telegram.Bot, update *models.Update) {
	switch {
	case update.Message != nil && update.Message.From != nil:
		b.onMessage(ctx, update.Message)
	case update.CallbackQuery != nil:
		b.onButton(ctx, update.CallbackQuery)
	}
}
