package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/internal/shop"
	"github.com/whozex/whozex-go/idempotency"
)

const (
	errInvalidGB       = shop.UserError("That is not a number of GB: use digits, such as 20.")
	errInvalidType     = shop.UserError("That is not a proxy type: residential, datacenter or mobile.")
	errInvalidAmount   = shop.UserError("That is not a user and an amount, such as /topup 42 25.50.")
	errNoPackage       = shop.UserError("You have no package with this number here: see /packages.")
	errInvalidDecision = shop.UserError("That is not an order and a decision, such as /resolve KEY PKG-A1B2C3, yes or no.")
	errPrivateOnly     = shop.UserError("I show credentials only in a private chat.")
	help               = "I know /balance, /price 20, /buy 20 residential, /packages and /credentials PKG TR."
)

// formatHTML is Sprintf for Telegram's HTML. It escapes the arguments, not the format.
func formatHTML(format string, args ...any) string {
	for i, arg := range args {
		args[i] = html.EscapeString(fmt.Sprint(arg))
	}
	return fmt.Sprintf(format, args...)
}

// pluralize returns a number and a noun, with an s unless n is 1.
func pluralize(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

func usd(d decimal.Decimal) string { return "$" + d.StringFixed(2) }

// onMessage handles a command. Invalid input causes no request to the API.
func (b *bot) onMessage(ctx context.Context, m *models.Message) {
	words := strings.Fields(m.Text)
	if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		return
	}
	name, _, _ := strings.Cut(words[0], "@") // in groups, commands end with the bot's name
	handle := map[string]func(context.Context, command) (string, error){
		"/start": b.start, "/balance": b.balance, "/price": b.price, "/buy": b.buy,
		"/packages": b.packages, "/credentials": b.credentials, "/topup": b.topup, "/resolve": b.resolve, "/stats": b.stats,
	}[name]
	if handle == nil || slices.Contains([]string{"/topup", "/resolve", "/stats"}, name) && !slices.Contains(b.admins, m.From.ID) {
		b.sendMessage(ctx, m.Chat.ID, help)
		return
	}
	text, err := handle(ctx, command{m, append(words[1:], "", "")})
	b.reply(ctx, m.Chat.ID, text, err)
}

// command is a message with a command and its arguments. There are at least two
// arguments, which may be empty.
type command struct {
	*models.Message
	args []string
}

// reply sends the result of a command.
func (b *bot) reply(ctx context.Context, chat int64, text string, err error) {
	if text := b.replyText(text, err); text != "" {
		b.sendMessage(ctx, chat, text)
	}
}

// replyText returns text, or the message for a customer if there is an error.
func (b *bot) replyText(text string, err error) string {
	var userError shop.UserError
	var paramError *whozex.ParamError
	switch {
	case errors.Is(err, shop.ErrNoCustomer):
		text = "Send /start first."
	case errors.As(err, &userError):
		text = formatHTML("%v", userError)
	case errors.As(err, &paramError):
		text = formatHTML("%v %v.", paramError.Field, paramError.Reason)
	case err != nil:
		b.log.Warn("command failed", "error", err)
		text = formatHTML("That did not work, and no money was spent: %v.", publicReason(err))
	}
	return text
}

// publicReason describes an error to a customer without details.
func publicReason(err error) string {
	switch {
	case errors.Is(err, whozex.ErrInsufficientBalance):
		return "the balance is too low"
	case errors.Is(err, whozex.ErrRateLimited), errors.Is(err, whozex.ErrServer):
		return "the service is busy, try again later"
	}
	return "the service refused it"
}

func (b *bot) start(ctx context.Context, r command) (string, error) {
	user, err := b.shop.Register(ctx, r.From.ID, fmt.Sprintf("telegram-%d@%s", r.From.ID, b.domain))
	if err != nil {
		return "", err
	}
	return formatHTML("Welcome. Your balance is %v. /price 20 shows a price, /buy 20 buys.", usd(user.Balance)), nil
}

func (b *bot) balance(ctx context.Context, r command) (string, error) {
	c, err := b.shop.Customer(ctx, r.From.ID)
	if err != nil {
		return "", err
	}
	user, err := b.shop.User(ctx, c.Email)
	if err != nil {
		return "", err
	}
	return formatHTML("Your balance is %v, and you have %v.", usd(user.Balance), pluralize(user.PackageCount, "package")), nil
}

func (b *bot) quote(ctx context.Context, text string) (*whozex.Quote, error) {
	gb, err := strconv.Atoi(text)
	if err != nil {
		return nil, errInvalidGB
	}
	return b.api.CalculatePrice(ctx, gb)
}

func (b *bot) price(ctx context.Context, r command) (string, error) {
	quote, err := b.quote(ctx, r.args[0])
	if err != nil {
		return "", err
	}
	return formatHTML("%v GB cost %v, %v per GB.", quote.GB, usd(quote.Total), usd(quote.PricePerGB)), nil
}

// buy shows a button whose data is the order's key.
func (b *bot) buy(ctx context.Context, r command) (string, error) {
	kind := whozex.ProxyType(strings.ToLower(cmp.Or(r.args[1], string(whozex.ProxyResidential))))
	if !slices.Contains([]whozex.ProxyType{whozex.ProxyResidential, whozex.ProxyDatacenter, whozex.ProxyMobile}, kind) {
		return "", errInvalidType
	}
	quote, err := b.quote(ctx, r.args[0])
	if err != nil {
		return "", err
	}
	if _, err := b.shop.Customer(ctx, r.From.ID); err != nil {
		return "", err
	}
	o := shop.Order{ID: shop.NewID(), Customer: r.From.ID, GB: quote.GB, ProxyType: kind, Price: quote.Total}
	b.sendMessage(ctx, r.Chat.ID, formatHTML("%v GB %v for %v?", o.GB, kind, usd(o.Price)), models.InlineKeyboardButton{
		Text: "Buy for " + usd(o.Price), CallbackData: o.Key(),
	})
	return "", nil
}

// onButton executes the order of a button, if its own customer has tapped it.
func (b *bot) onButton(ctx context.Context, q *models.CallbackQuery) {
	if _, err := b.chat.AnswerCallbackQuery(ctx, &telegram.AnswerCallbackQueryParams{CallbackQueryID: q.ID}); err != nil {
		b.log.Warn("callback query not answered", "error", err)
	}
	o, err := shop.ParseOrder(q.Data)
	switch {
	case err == nil && (o.TopUp() || o.Customer != q.From.ID):
		err = shop.ErrNoOrder
	case err == nil:
		err = b.execute(ctx, q.From.ID, o)
	}
	b.reply(ctx, q.From.ID, "", err)
}

const textNotCompleted = "The order was not completed, and no money was spent. You can order again."

// statusText describes the state of an order.
func statusText(o shop.Order, r *idempotency.Record) string {
	switch {
	case r.State == idempotency.Succeeded && o.TopUp():
		return formatHTML("Topped up by %v.", usd(o.Amount))
	case r.State == idempotency.Succeeded && r.ResultID != "":
		return formatHTML("You have <code>%v</code>, %v GB %v. See /credentials %v", r.ResultID, o.GB, o.ProxyType, r.ResultID)
	case r.State == idempotency.Succeeded:
		return "The package was bought and paid for. Its number will follow."
	case r.State == idempotency.Failed:
		return textNotCompleted
	}
	return "It is not known yet whether the order was completed. It will not be sent again; I will tell you when I know."
}

func (b *bot) packages(ctx context.Context, r command) (string, error) {
	c, err := b.shop.Customer(ctx, r.From.ID)
	if err != nil {
		return "", err
	}
	purchases, err := b.shop.Packages(ctx, c)
	if err != nil || len(purchases) == 0 {
		return "You have bought no package here yet.", err
	}
	var text strings.Builder
	for _, o := range purchases {
		if o.ResultID == "" {
			order, _ := shop.ParseOrder(o.Key)
			text.WriteString(formatHTML("%v GB %v: bought and paid for, its number is not known yet. An admin has been notified.\n", order.GB, order.ProxyType))
			continue
		}
		pkg, err := b.api.GetPackage(ctx, o.ResultID)
		if err != nil {
			return "", err
		}
		text.WriteString(formatHTML("<code>%v</code>: %v of %v GB left\n", o.ResultID, pkg.RemainingGB, pkg.TotalGB))
	}
	return text.String(), nil
}

func (b *bot) credentials(ctx context.Context, r command) (string, error) {
	if r.Chat.Type != models.ChatTypePrivate {
		return "", errPrivateOnly
	}
	o, _, err := b.shop.Owner(ctx, r.args[0])
	if errors.Is(err, idempotency.ErrUnknownKey) || err == nil && o.Customer != r.From.ID {
		return "", errNoPackage
	} else if err != nil {
		return "", err
	}
	target := whozex.Targeting{Country: r.args[1], City: strings.TrimSpace(strings.Join(r.args[2:], " "))}
	access, err := b.api.GetCredentials(ctx, r.args[0], target)
	if err != nil {
		return "", err
	}
	return formatHTML("HTTP\n<code>%v</code>\nSOCKS5\n<code>%v</code>", access.HTTP.ConnectionString.Reveal(), access.SOCKS5.ConnectionString.Reveal()), nil
}

var dollars = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,2})?$`)

// topup makes the order's ID from the message's, so that a redelivered message is
// executed once.
func (b *bot) topup(ctx context.Context, r command) (string, error) {
	customer, err := strconv.ParseInt(r.args[0], 10, 64)
	if err != nil || !dollars.MatchString(r.args[1]) {
		return "", errInvalidAmount
	}
	o := shop.Order{ID: fmt.Sprintf("%d-%d", r.Chat.ID, r.Message.ID), Requester: r.From.ID, Customer: customer, Amount: decimal.RequireFromString(r.args[1])}
	if !o.TopUp() {
		return "", errInvalidAmount
	}
	if _, err := b.shop.Customer(ctx, customer); errors.Is(err, shop.ErrNoCustomer) {
		return "This user has not sent /start.", nil
	}
	return "", b.execute(ctx, r.Chat.ID, o)
}

// resolve records an admin's decision about an order, which notifies the requester.
func (b *bot) resolve(ctx context.Context, r command) (string, error) {
	decision := idempotency.Resolution{Reason: fmt.Sprint("decided by admin ", r.From.ID)}
	switch arg := r.args[1]; {
	case arg == "yes", strings.HasPrefix(arg, "PKG-"):
		decision.Applied, decision.ResultID = true, strings.TrimPrefix(arg, "yes")
	case arg != "no":
		return "", errInvalidDecision
	}
	_, err := b.shop.Once.Resolve(ctx, r.args[0], decision)
	switch {
	case errors.Is(err, idempotency.ErrUnknownKey):
		return "", shop.ErrNoOrder
	case errors.Is(err, idempotency.ErrInProgress):
		return "", shop.ErrInProgress
	case errors.Is(err, idempotency.ErrKeyReused):
		return "The order is already resolved, with another result.", nil
	case err != nil:
		return "", err
	}
	return "The order is resolved, and the customer is notified.", nil
}

func (b *bot) stats(ctx context.Context, _ command) (string, error) {
	account, err := b.api.GetAccount(ctx)
	if err != nil {
		return "", err
	}
	open, err := b.shop.Once.Pending(ctx)
	if err != nil {
		return "", err
	}
	return formatHTML("Balance %v, spent %v, %v, %v, %v open.", usd(account.Balance), usd(account.Stats.TotalSpent),
		pluralize(account.Stats.SubUsers, "user"), pluralize(account.Stats.Packages, "package"), pluralize(len(open), "order")), nil
}
