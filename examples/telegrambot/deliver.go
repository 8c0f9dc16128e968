package main

import (
	"context"
	"errors"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

// maxAttempts limits how often a message is sent while Telegram fails.
const maxAttempts = 5

// sendMessage sends HTML to a chat. If the message cannot be delivered, it notifies
// the admins, without the text, which may contain a password.
func (b *bot) sendMessage(ctx context.Context, chat int64, text string, buttons ...models.InlineKeyboardButton) {
	if err := b.deliver(ctx, chat, text, buttons...); err != nil {
		b.notifyAdmins(ctx, formatHTML("A message to %v could not be delivered: %v.", chat, failureText(err)))
	}
}

// notifyAdmins sends text to the admins and reports whether one of them received it.
func (b *bot) notifyAdmins(ctx context.Context, text string) (delivered bool) {
	b.log.Warn("alert", "text", text)
	for _, admin := range b.admins {
		err := b.deliver(ctx, admin, text)
		delivered = delivered || err == nil
		if err != nil {
			b.log.Error("alert not delivered", "admin", admin, "error", err)
		}
	}
	return delivered
}

// deliver sends HTML to a chat. It retries on rate limits, timeouts and server
// errors. After a timeout the message may arrive twice, which is better than never.
// If Telegram cannot parse the HTML, it is sent as plain text.
func (b *bot) deliver(ctx context.Context, chat int64, text string, buttons ...models.InlineKeyboardButton) error {
	message := &telegram.SendMessageParams{ChatID: chat, Text: text, ParseMode: models.ParseModeHTML}
	if len(buttons) > 0 {
		message.ReplyMarkup = &models.InlineKeyboardMarkup{InlineKeyboard: [][]models.InlineKeyboardButton{buttons}}
	}
	backoff := b.backoff
	for n := 1; ; n++ {
		err := b.send(ctx, message)
		var limited *telegram.TooManyRequestsError
		wait := backoff
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
		if n == maxAttempts || wait > maxRetryWait {
			return err
		}
		backoff *= 2
		b.log.Warn("message not delivered", "chat", chat, "error", err, "retry_in", wait)
		select {
		case <-time.After(wait):
		case <-b.stopped: // the result of an order is sent after the restart
			return err
		case <-ctx.Done():
			return err
		}
	}
}

// maxRetryWait is how long a message may wait in memory. The result of an order is
// kept in the database and sent later.
const maxRetryWait = time.Minute

func (b *bot) send(ctx context.Context, message *telegram.SendMessageParams) error {
	ctx, cancel := context.WithTimeout(ctx, b.sendTimeout)
	defer cancel()
	_, err := b.chat.SendMessage(ctx, message)
	return err
}

// permanent reports whether a retry is useless: the user has blocked the bot, or the
// chat does not exist.
func permanent(err error) bool {
	return errors.Is(err, telegram.ErrorForbidden) || errors.Is(err, telegram.ErrorBadRequest) || errors.Is(err, telegram.ErrorNotFound)
}

// failureText describes an error of Telegram.
func failureText(err error) string {
	switch {
	case errors.Is(err, telegram.ErrorForbidden):
		return "the user has blocked the bot"
	case permanent(err):
		return "Telegram refused it"
	}
	return "Telegram cannot be reached"
}
