package main

import (
	"context"
	"errors"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// attempts bounds how often a message is sent while Telegram fails.
const attempts = 5

// tell sends HTML to a chat. What cannot be delivered is for the admins, without
// the text, which may hold a password.
func (b *bot) tell(ctx context.Context, chat int64, text string, buttons ...models.InlineKeyboardButton) {
	if err := b.deliver(ctx, chat, text, buttons...); err != nil {
		b.alarm(ctx, say("A message to %v could not be delivered: %v.", chat, refusal(err)))
	}
}

// alarm tells the admins, and reports whether one of them knows.
func (b *bot) alarm(ctx context.Context, text string) (known bool) {
	b.log.Warn("alarm", "text", text)
	for _, admin := range b.admins {
		err := b.deliver(ctx, admin, text)
		known = known || err == nil
		if err != nil {
			b.log.Error("alarm", "admin", admin, "error", err)
		}
	}
	return known
}

// deliver sends HTML to a chat, again where Telegram asks for a pause, does not
// answer or fails. A time-out may hide a message that has arrived: better twice
// than never. What Telegram does not parse is sent as plain text.
func (b *bot) deliver(ctx context.Context, chat int64, text string, buttons ...models.InlineKeyboardButton) error {
	message := &telegram.SendMessageParams{ChatID: chat, Text: text, ParseMode: models.ParseModeHTML}
	if len(buttons) > 0 {
		message.ReplyMarkup = &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{buttons}}
	}
	pause := b.pause
	for n := 1; ; n++ {
		err := b.send(ctx, message)
		var limited *telegram.TooManyRequestsError
		wait := pause
		switch {
		case err == nil:
			return nil
		case errors.Is(err, telegram.ErrorBadRequest) && message.ParseMode != "":
			message.ParseMode, wait = "", 0
		case errors.As(err, &limited):
			wait = time.Duration(limited.RetryAfter) * time.Second
		case permanent(err):
			return err
		}
		if n == attempts || wait > longestPause {
			return err
		}
		pause *= 2
		b.log.Warn("deliver", "chat", chat, "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-b.stopped: // an order's outcome is told after the restart
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// longestPause is how long a message waits in memory. An order's outcome waits
// for longer in the database.
const longestPause = time.Minute

func (b *bot) send(ctx context.Context, message *telegram.SendMessageParams) error {
	ctx, cancel := context.WithTimeout(ctx, b.patience)
	defer cancel()
	_, err := b.chat.SendMessage(ctx, message)
	return err
}

// permanent reports whether Telegram would refuse the message each time: the user
// has blocked the bot, or there is no such chat.
func permanent(err error) bool {
	return errors.Is(err, telegram.ErrorForbidden) || errors.Is(err, telegram.ErrorBadRequest) || errors.Is(err, telegram.ErrorNotFound)
}

// refusal is a failure of Telegram in words.
func refusal(err error) string {
	switch {
	case errors.Is(err, telegram.ErrorForbidden):
		return "the user has blocked the bot"
	case permanent(err):
		return "Telegram refuses it"
	}
	return "Telegram cannot be reached"
}
