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
	errNotGB       = shop.Refusal("That is not a number of GB: use digits, such as 20.")
	errNotType     = shop.Refusal("That is not a proxy type: residential, datacenter or mobile.")
	errNotAmount   = shop.Refusal("That is not a user and an amount, such as /topup 42 25.50.")
	errNoPackage   = shop.Refusal("You have no package of this number here: see /packages.")
	errNotDecision = shop.Refusal("That is not an order and what became of it, such as /resolve KEY PKG-A1B2C3, yes or no.")
	errNotPrivate  = shop.Refusal("Credentials are for your eyes only: ask me in a private chat.")
	help           = "I know /balance, /price 20, /buy 20 residential, /packages and /credentials PKG TR."
)

// say is Sprintf for Telegram's HTML: every argument is escaped, the format is
// not.
func say(format string, args ...any) string {
	for i, arg := range args {
		args[i] = html.EscapeString(fmt.Sprint(arg))
	}
	return fmt.Sprintf(format, args...)
}

// count is a number and its noun, which takes an s.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprint(n, " ", noun)
}

func usd(d decimal.Decimal) string { return "$" + d.StringFixed(2) }

// onMessage answers a command. What the user wrote wrongly costs no request.
func (b *bot) onMessage(ctx context.Context, m *models.Message) {
	words := strings.Fields(m.Text)
	if len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		return
	}
	name, _, _ := strings.Cut(words[0], "@") // in groups commands carry the bot's name
	handle := map[string]func(context.Context, request) (string, error){
		"/start": b.start, "/balance": b.balance, "/price": b.price, "/buy": b.buy,
		"/packages": b.packages, "/credentials": b.credentials, "/topup": b.topup, "/resolve": b.resolve, "/stats": b.stats,
	}[name]
	if handle == nil || slices.Contains([]string{"/topup", "/resolve", "/stats"}, name) && !slices.Contains(b.admins, m.From.ID) {
		b.tell(ctx, m.Chat.ID, help)
		return
	}
	answer, err := handle(ctx, request{m, append(words[1:], "", "")})
	b.answer(ctx, m.Chat.ID, answer, err)
}

// request is a command and its words, of which there are at least two.
type request struct {
	*models.Message
	args []string
}

// answer says what came of a command.
func (b *bot) answer(ctx context.Context, chat int64, text string, err error) {
	if text := b.wording(text, err); text != "" {
		b.tell(ctx, chat, text)
	}
}

// wording is the response, or as much of an error as is good for a customer.
func (b *bot) wording(text string, err error) string {
	var told shop.Refusal
	var wrong *whozex.ParamError
	switch {
	case errors.Is(err, shop.ErrNoCustomer):
		text = "Send /start first."
	case errors.As(err, &told):
		text = say("%v", told)
	case errors.As(err, &wrong):
		text = say("%v %v.", wrong.Field, wrong.Reason)
	case err != nil:
		b.log.Warn("request", "error", err)
		text = say("That did not work, and no money was spent: %v.", reason(err))
	}
	return text
}

// reason is an error for a customer's eyes.
func reason(err error) string {
	switch {
	case errors.Is(err, whozex.ErrInsufficientBalance):
		return "the balance is too low"
	case errors.Is(err, whozex.ErrRateLimited), errors.Is(err, whozex.ErrServer):
		return "the service is busy, try again later"
	}
	return "the service did not take it"
}

func (b *bot) start(ctx context.Context, r request) (string, error) {
	user, err := b.shop.Join(ctx, r.From.ID, fmt.Sprintf("telegram-%d@%s", r.From.ID, b.domain))
	if err != nil {
		return "", err
	}
	return say("Welcome. Your balance is %v. /price 20 tells a price, /buy 20 buys.", usd(user.Balance)), nil
}

func (b *bot) balance(ctx context.Context, r request) (string, error) {
	c, err := b.shop.Customer(ctx, r.From.ID)
	if err != nil {
		return "", err
	}
	user, err := b.shop.User(ctx, c.Email)
	if err != nil {
		return "", err
	}
	return say("Your balance is %v, and you have %v.", usd(user.Balance), count(user.PackageCount, "package")), nil
}

func (b *bot) quote(ctx context.Context, text string) (*whozex.Quote, error) {
	gb, err := strconv.Atoi(text)
	if err != nil {
		return nil, errNotGB
	}
	return b.api.CalculatePrice(ctx, gb)
}

func (b *bot) price(ctx context.Context, r request) (string, error) {
	quote, err := b.quote(ctx, r.args[0])
	if err != nil {
		return "", err
	}
	return say("%v GB cost %v, %v a GB.", quote.GB, usd(quote.Total), usd(quote.PricePerGB)), nil
}

// buy shows a button that carries the whole order.
func (b *bot) buy(ctx context.Context, r request) (string, error) {
	kind := whozex.ProxyType(strings.ToLower(cmp.Or(r.args[1], string(whozex.ProxyResidential))))
	if !slices.Contains([]whozex.ProxyType{whozex.ProxyResidential, whozex.ProxyDatacenter, whozex.ProxyMobile}, kind) {
		return "", errNotType
	}
	quote, err := b.quote(ctx, r.args[0])
	if err != nil {
		return "", err
	}
	if _, err := b.shop.Customer(ctx, r.From.ID); err != nil {
		return "", err
	}
	o := shop.Order{ID: shop.NewID(), Customer: r.From.ID, GB: quote.GB, ProxyType: kind, Price: quote.Total}
	b.tell(ctx, r.Chat.ID, say("%v GB %v for %v?", o.GB, kind, usd(o.Price)), models.InlineKeyboardButton{
		Text: "Buy for " + usd(o.Price), CallbackData: o.Key(),
	})
	return "", nil
}

// onTap carries out the order of a button, if it is the one who ordered who taps.
func (b *bot) onTap(ctx context.Context, q *models.CallbackQuery) {
	if _, err := b.chat.AnswerCallbackQuery(ctx, &telegram.AnswerCallbackQueryParams{CallbackQueryID: q.ID}); err != nil {
		b.log.Warn("acknowledge", "error", err)
	}
	o, err := shop.ParseOrder(q.Data)
	switch {
	case err == nil && (o.TopUp() || o.Customer != q.From.ID):
		err = shop.ErrNoOrder
	case err == nil:
		err = b.carryOut(ctx, q.From.ID, o)
	}
	b.answer(ctx, q.From.ID, "", err)
}

const notCarriedOut = "It was not carried out, and no money was spent. You can order anew."

// about says where an order stands.
func about(o shop.Order, r *idempotency.Record) string {
	switch {
	case r.State == idempotency.Succeeded && o.TopUp():
		return say("Topped up by %v.", usd(o.Amount))
	case r.State == idempotency.Succeeded && r.ResultID != "":
		return say("You have <code>%v</code>, %v GB %v. See /credentials %v", r.ResultID, o.GB, o.ProxyType, r.ResultID)
	case r.State == idempotency.Succeeded:
		return "It was bought and paid for. Its number is on the way."
	case r.State == idempotency.Failed:
		return notCarriedOut
	}
	return "It is not known yet whether this was carried out. Nothing is sent again; you will be told."
}

func (b *bot) packages(ctx context.Context, r request) (string, error) {
	c, err := b.shop.Customer(ctx, r.From.ID)
	if err != nil {
		return "", err
	}
	mine, err := b.shop.Packages(ctx, c)
	if err != nil || len(mine) == 0 {
		return "You have bought no package here yet.", err
	}
	var text strings.Builder
	for _, o := range mine {
		if o.ResultID == "" {
			order, _ := shop.ParseOrder(o.Key)
			text.WriteString(say("%v GB %v: bought and paid for, its number is not known yet. An admin knows.\n", order.GB, order.ProxyType))
			continue
		}
		pkg, err := b.api.GetPackage(ctx, o.ResultID)
		if err != nil {
			return "", err
		}
		text.WriteString(say("<code>%v</code>: %v of %v GB left\n", o.ResultID, pkg.RemainingGB, pkg.TotalGB))
	}
	return text.String(), nil
}

func (b *bot) credentials(ctx context.Context, r request) (string, error) {
	if r.Chat.Type != models.ChatTypePrivate {
		return "", errNotPrivate
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
	return say("HTTP\n<code>%v</code>\nSOCKS5\n<code>%v</code>", access.HTTP.ConnectionString.Reveal(), access.SOCKS5.ConnectionString.Reveal()), nil
}

var dollars = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,2})?$`)

// topup is known by the message that asked for it, however often it is delivered.
func (b *bot) topup(ctx context.Context, r request) (string, error) {
	customer, err := strconv.ParseInt(r.args[0], 10, 64)
	if err != nil || !dollars.MatchString(r.args[1]) {
		return "", errNotAmount
	}
	o := shop.Order{ID: fmt.Sprintf("%d-%d", r.Chat.ID, r.Message.ID), Asker: r.From.ID, Customer: customer, Amount: decimal.RequireFromString(r.args[1])}
	if !o.TopUp() {
		return "", errNotAmount
	}
	if _, err := b.shop.Customer(ctx, customer); errors.Is(err, shop.ErrNoCustomer) {
		return "This user has not sent /start.", nil
	}
	return "", b.carryOut(ctx, r.Chat.ID, o)
}

// resolve settles an order by what an admin has seen at the panel; whoever asked
// for the order is told.
func (b *bot) resolve(ctx context.Context, r request) (string, error) {
	decision := idempotency.Resolution{Reason: fmt.Sprint("decided by admin ", r.From.ID)}
	switch answer := r.args[1]; {
	case answer == "yes", strings.HasPrefix(answer, "PKG-"):
		decision.Applied, decision.ResultID = true, strings.TrimPrefix(answer, "yes")
	case answer != "no":
		return "", errNotDecision
	}
	_, err := b.shop.Once.Resolve(ctx, r.args[0], decision)
	switch {
	case errors.Is(err, idempotency.ErrUnknownKey):
		return "", shop.ErrNoOrder
	case errors.Is(err, idempotency.ErrInProgress):
		return "", shop.ErrTaken
	case errors.Is(err, idempotency.ErrKeyReused):
		return "It is settled already, and otherwise.", nil
	case err != nil:
		return "", err
	}
	return "It is settled, and whoever ordered it is told.", nil
}

func (b *bot) stats(ctx context.Context, _ request) (string, error) {
	account, err := b.api.GetAccount(ctx)
	if err != nil {
		return "", err
	}
	open, err := b.shop.Once.Pending(ctx)
	if err != nil {
		return "", err
	}
	return say("Balance %v, spent %v, %v, %v, %v not settled.", usd(account.Balance), usd(account.Stats.TotalSpent),
		count(account.Stats.SubUsers, "user"), count(account.Stats.Packages, "package"), count(len(open), "order")), nil
}
