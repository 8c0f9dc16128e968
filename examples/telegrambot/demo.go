package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whozex/whozex-go/examples/telegrambot/faketelegram"
	"github.com/whozex/whozex-go/whozextest"
)

// demo runs the bot without an account. The terminal is the chat, and its user is
// also an admin.
func demo(ctx context.Context) error {
	if os.Getenv("WHOZEX_API_KEY") != "" {
		return errors.New("WHOZEX_API_KEY is set and TELEGRAM_BOT_TOKEN is not: the demo does not use a real account")
	}
	const token, me = "1:demo", 1
	server, chat := whozextest.NewServer(), faketelegram.New(token)
	defer server.Close()
	defer chat.Close()
	dir, err := os.MkdirTemp("", "telegrambot")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	for name, value := range map[string]string{
		"TELEGRAM_BOT_TOKEN": token, "TELEGRAM_SERVER": chat.URL, "TELEGRAM_ADMINS": strconv.Itoa(me),
		"WHOZEX_API_KEY": server.APIKey, "WHOZEX_BASE_URL": server.URL, "BOT_DATABASE": "sqlite:" + filepath.Join(dir, "bot.db"),
		"WEBHOOK_LISTEN": addr, "WEBHOOK_URL": "http://" + addr + "/webhooks",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fmt.Println("You are user 1 and an admin. No real money is spent. Try /start, /topup 1 50, /buy 20; enter a number to tap a button.")
	var printing sync.WaitGroup
	printing.Go(func() { printMessages(ctx, chat) })
	go func() {
		defer cancel() // the end of the input ends the demo
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			sent := chat.Sent()
			data, ok := findButton(sent, lines.Text())
			switch {
			case ok:
				chat.Tap(me, me, data)
			case strings.HasPrefix(lines.Text(), "/"):
				chat.Write(me, me, lines.Text())
			default:
				continue // the bot does not reply to other messages
			}
			// Wait for the reply: the bot handles messages concurrently.
			replyCtx, stop := context.WithTimeout(ctx, 10*time.Second)
			_, _ = chat.Next(replyCtx, len(sent), anyMessage)
			stop()
		}
	}()
	err = run(ctx)
	cancel()
	printing.Wait()
	return err
}

func anyMessage(faketelegram.Message) bool { return true }

// printMessages prints the bot's messages until ctx ends.
func printMessages(ctx context.Context, chat *faketelegram.Server) {
	for n := 0; ; n++ {
		m, err := chat.Next(ctx, n, anyMessage)
		if err != nil {
			return
		}
		fmt.Println("bot:", m.Text)
		for i, button := range m.Buttons {
			fmt.Printf("     [%d] %s\n", i+1, button.Text)
		}
	}
}

// findButton returns the data of the n-th button of the last message with buttons.
func findButton(sent []faketelegram.Message, line string) (data string, ok bool) {
	n, err := strconv.Atoi(line)
	for i := len(sent) - 1; i >= 0 && err == nil; i-- {
		if buttons := sent[i].Buttons; len(buttons) > 0 {
			if n < 1 || n > len(buttons) {
				return "", false
			}
			return buttons[n-1].CallbackData, true
		}
	}
	return "", false
}
