package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-telegram/bot/models"

	"github.com/whozex/whozex-go"
)

// request is a command as somebody wrote it.
type request struct {
	from    int64
	chat    models.Chat
	message int
	args    []string
}

func (r request) arg(i int) string {
	if i < len(r.args) {
		return r.args[i]
	}
	return ""
}

// onMessage answers a command. What the user wrote wrongly costs no request.
func (b *bot) onMessage(ctx context.Context, m *models.Message) {
	words := strings.Fields(m.Text)
	if len(words) == 0 || m.From == nil || !strings.HasPrefix(words[0], "/") {
		return
	}
	name, _, _ := strings.Cut(words[0], "@") // in groups commands carry the bot's name
	handle, admins := map[string]func(context.Context, request) (string, error){
		"/start": b.start, "/balance": b.balance, "/price": b.price, "/buy": b.buy,
		"/packages": b.packages, "/credentials": b.credentials, "/topup": b.topup, "/stats": b.stats,
	}[name], []string{"/topup", "/stats"}
	if handle == nil || slices.Contains(admins, name) && !slices.Contains(b.admins, m.From.ID) {
		b.tell(ctx, m.Chat.ID, "I know /balance, /price 20, /buy 20 residential, /packages and /credentials PKG TR.")
		return
	}
	answer, err := handle(ctx, request{from: m.From.ID, chat: m.Chat, message: m.ID, args: words[1:]})
	var wrong inputError
	switch {
	case errors.As(err, &wrong):
		b.tell(ctx, m.Chat.ID, say("%v", wrong))
	case err != nil:
		b.fail(ctx, m.Chat.ID, err)
	case answer != "":
		b.tell(ctx, m.Chat.ID, answer)
	}
}

// inputError is what a user did wrong, and is told to them.
type inputError struct{ error }

func (b *bot) start(ctx context.Context, r request) (string, error) {
	c := customer{Telegram: r.from, Email: fmt.Sprintf("telegram-%d@%s", r.from, b.domain)}
	user, err := b.api.CreateUser(ctx, whozex.CreateUserParams{Email: c.Email})
	// Whether it was just taken, long ago or in a call whose answer was lost: the
	// email is this person's and nobody else's.
	if errors.Is(err, whozex.ErrEmailTaken) || errors.Is(err, whozex.ErrOutcomeUnknown) {
		user, err = b.find(ctx, c.Email)
	}
	if err != nil {
		return "", err
	}
	c.UserID = user.ID
	return say("Welcome. Your balance is %v. /price 20 tells a price, /buy 20 buys.", usd(user.Balance)), b.store.put(customers, key(r.from), c)
}

var errNotStarted = inputError{errors.New("send /start first")}

func key(telegram int64) string { return strconv.FormatInt(telegram, 10) }

func (b *bot) customer(telegram int64) (customer, error) {
	c, found, err := get[customer](b.store, customers, key(telegram))
	if err == nil && !found {
		err = errNotStarted
	}
	return c, err
}

// user is a customer's account now. The API has no route to one user by id.
func (b *bot) user(ctx context.Context, telegram int64) (*whozex.User, error) {
	c, err := b.customer(telegram)
	if err != nil {
		return nil, err
	}
	return b.find(ctx, c.Email)
}

func (b *bot) find(ctx context.Context, email string) (*whozex.User, error) {
	for user, err := range b.api.AllUsers(ctx, whozex.ListUsersParams{Search: email}) {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(user.Email, email) {
			return &user, nil
		}
	}
	return nil, fmt.Errorf("user %s: %w", email, whozex.ErrNotFound)
}

func (b *bot) balance(ctx context.Context, r request) (string, error) {
	user, err := b.user(ctx, r.from)
	if err != nil {
		return "", err
	}
	return say("Your balance is %v, and you have %v packages.", usd(user.Balance), user.PackageCount), nil
}

func (b *bot) price(ctx context.Context, r request) (string, error) {
	gb, err := parseGB(r.arg(0))
	if err != nil {
		return "", inputError{err}
	}
	quote, err := b.api.CalculatePrice(ctx, gb)
	if err != nil {
		return "", err
	}
	return say("%v GB cost %v, %v a GB.", quote.GB, usd(quote.Total), usd(quote.PricePerGB)), nil
}

// buy stores the order under the id of the button that it shows.
func (b *bot) buy(ctx context.Context, r request) (string, error) {
	gb, err := parseGB(r.arg(0))
	if err != nil {
		return "", inputError{err}
	}
	kind := whozex.ProxyResidential
	if len(r.args) > 1 {
		if kind, err = parseProxyType(r.arg(1)); err != nil {
			return "", inputError{err}
		}
	}
	c, err := b.customer(r.from)
	if err != nil {
		return "", err
	}
	quote, err := b.api.CalculatePrice(ctx, gb)
	if err != nil {
		return "", err
	}
	o := order{ID: rand.Text(), Customer: r.from, UserID: c.UserID, GB: gb, ProxyType: kind, Price: quote.Total, State: quoted}
	if err := b.store.offer(o); err != nil {
		return "", err
	}
	b.tell(ctx, r.chat.ID, say("%v GB %v for %v?", gb, kind, usd(quote.Total)), models.InlineKeyboardButton{
		Text: "Buy for " + usd(quote.Total), CallbackData: "buy:" + o.ID,
	})
	return "", nil
}

// onTap carries out the order of a button, if it is the one who ordered who taps.
func (b *bot) onTap(ctx context.Context, q *models.CallbackQuery) {
	b.acknowledge(ctx, q)
	id, isOrder := strings.CutPrefix(q.Data, "buy:")
	o, found, err := get[order](b.store, orders, id)
	if err != nil || !isOrder || !found || o.Customer != q.From.ID {
		b.tell(ctx, q.From.ID, "I know of no such order of yours.")
		return
	}
	b.carryOut(ctx, o)
}

func (b *bot) packages(ctx context.Context, r request) (string, error) {
	c, err := b.customer(r.from)
	if err != nil {
		return "", err
	}
	mine, err := all(b.store, packages, func(p pack) bool { return p.UserID == c.UserID })
	if err != nil || len(mine) == 0 {
		return "You have bought no package here yet.", err
	}
	var text strings.Builder
	for _, p := range mine {
		pkg, err := b.api.GetPackage(ctx, p.ID)
		if err != nil {
			return "", err
		}
		text.WriteString(say("<code>%v</code>: %v of %v GB left\n", p.ID, pkg.RemainingGB, pkg.TotalGB))
	}
	return text.String(), nil
}

func (b *bot) credentials(ctx context.Context, r request) (string, error) {
	if r.chat.Type != models.ChatTypePrivate {
		return "Credentials are for your eyes only: ask me in a private chat.", nil
	}
	c, err := b.customer(r.from)
	if err != nil {
		return "", err
	}
	p, found, err := get[pack](b.store, packages, r.arg(0))
	if err != nil {
		return "", err
	}
	if !found || p.UserID != c.UserID {
		return "", inputError{fmt.Errorf("you have no package %q: see /packages", brief(r.arg(0)))}
	}
	access, err := b.api.GetCredentials(ctx, p.ID, whozex.Targeting{Country: r.arg(1), City: strings.Join(r.args[min(2, len(r.args)):], " ")})
	if errors.Is(err, whozex.ErrInvalidParams) {
		return "", inputError{errors.New("give a country by its two letters, such as TR, and then a city if you like")}
	}
	if err != nil {
		return "", err
	}
	return say("HTTP\n<code>%v</code>\nSOCKS5\n<code>%v</code>", string(access.HTTP.ConnectionString), string(access.SOCKS5.ConnectionString)), nil
}

// topup is known by the message that asked for it, however often it is delivered.
func (b *bot) topup(ctx context.Context, r request) (string, error) {
	amount, err := parseAmount(r.arg(1))
	if err != nil {
		return "", inputError{err}
	}
	telegram, err := strconv.ParseInt(r.arg(0), 10, 64)
	if err != nil {
		return "", inputError{fmt.Errorf("%q is not a Telegram user's number", brief(r.arg(0)))}
	}
	c, err := b.customer(telegram)
	if err != nil {
		return "", inputError{errors.New("this user has not sent /start")}
	}
	o := order{ID: fmt.Sprintf("topup-%d-%d", r.chat.ID, r.message), Customer: r.from, UserID: c.UserID, Amount: amount, State: quoted}
	if err := b.store.offer(o); err != nil {
		return "", err
	}
	b.carryOut(ctx, o)
	return "", nil
}

func (b *bot) stats(ctx context.Context, _ request) (string, error) {
	account, err := b.api.GetAccount(ctx)
	if err != nil {
		return "", err
	}
	open, err := all(b.store, orders, func(o order) bool { return o.State.open() })
	if err != nil {
		return "", err
	}
	return say("Balance %v, spent %v, %v users, %v packages, %v orders not settled.", usd(account.Balance),
		usd(account.Stats.TotalSpent), account.Stats.SubUsers, account.Stats.Packages, len(open)), nil
}
