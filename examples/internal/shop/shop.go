// Package shop is what every shop on the API needs behind its front, be it a bot
// or a page: customers, orders that are carried out once whatever crashes, and
// the webhook. It keeps nothing itself: all that it knows are idempotency keys
// and what became of them.
package shop

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

// Refusal is an error fit to be shown to a customer as it stands.
type Refusal string

// Error is the refusal.
func (r Refusal) Error() string { return string(r) }

// What a shop refuses.
const (
	ErrNoCustomer Refusal = "You are not a customer here yet."
	ErrNoOrder    Refusal = "I know of no such order of yours."
	ErrTaken      Refusal = "This order is being carried out. Nothing is sent twice; please wait."
	ErrBusy       Refusal = "Your order before this one is not settled yet."
)

// Shop is open from [Open] to Close. It is the only buyer for its customers, or
// shares its store with the others.
type Shop struct {
	API  *whozex.Client
	Once *idempotency.Once
	Log  *slog.Logger
	// Tell tells the asker of an order how it stands.
	Tell func(context.Context, Order, *idempotency.Record)
	// Alarm tells an admin what needs a look.
	Alarm func(ctx context.Context, text string)

	running sync.WaitGroup // mutating calls
	alarmed sync.Map       // keys that an admin knows of
}

// Open opens the shop on a store of idempotency keys, such as "sqlite:shop.db". Tell
// and Alarm are to be set then.
func Open(ctx context.Context, dataSource string, api *whozex.Client, log *slog.Logger) (*Shop, error) {
	store, err := idempotency.Open(ctx, dataSource)
	if err != nil {
		return nil, err
	}
	s := &Shop{API: api, Log: log}
	s.Once = idempotency.New(api, store, idempotency.WithOnSettled(func(ctx context.Context, r *idempotency.Record) {
		if o, err := ParseOrder(r.Key); err == nil {
			s.Tell(ctx, o, r)
		}
	}))
	return s, nil
}

// Close waits for the calls under way.
func (s *Shop) Close() error {
	s.running.Wait()
	return s.Once.Store().Close()
}

// Customer is a person, by the number under which the shop's front knows them,
// and the sub-user that is theirs.
type Customer struct {
	ID            int64
	UserID, Email string
}

func customerKey(id int64) string { return fmt.Sprintf("customer:%d", id) }

// Join makes someone a customer, and returns the sub-user with that email, which
// the first call creates.
func (s *Shop) Join(ctx context.Context, id int64, email string) (*whozex.User, error) {
	_, err := s.Once.CreateUser(ctx, customerKey(id), whozex.CreateUserParams{Email: email})
	// Whoever took the email, long ago or in a call whose response was lost: it is
	// this person's and nobody else's.
	if err != nil && !errors.Is(err, whozex.ErrEmailTaken) && !errors.Is(err, idempotency.ErrIndeterminate) {
		return nil, err
	}
	return s.User(ctx, email)
}

// Customer returns a customer that has joined; [ErrNoCustomer] for others.
func (s *Shop) Customer(ctx context.Context, id int64) (Customer, error) {
	r, err := s.Once.Get(ctx, customerKey(id))
	if errors.Is(err, idempotency.ErrUnknownKey) {
		return Customer{}, ErrNoCustomer
	} else if err != nil {
		return Customer{}, err
	}
	c := Customer{ID: id, UserID: r.ResultID, Email: paramsOf(r).Email}
	if c.UserID != "" {
		return c, nil
	}
	user, err := s.User(ctx, c.Email) // the email was taken before
	if errors.Is(err, whozex.ErrNotFound) {
		return c, ErrNoCustomer
	} else if err != nil {
		return c, err
	}
	c.UserID = user.ID
	return c, nil
}

// User is a sub-user as it is now. The API has no route to one by id.
func (s *Shop) User(ctx context.Context, email string) (*whozex.User, error) {
	for user, err := range s.API.AllUsers(ctx, whozex.ListUsersParams{Search: email}) {
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(user.Email, email) {
			return &user, nil
		}
	}
	return nil, fmt.Errorf("user %s: %w", email, whozex.ErrNotFound)
}

// MostTries bounds how often a webhook is registered whose secret did not arrive:
// each may take one of the account's ten places for good.
const MostTries = 3

// Webhook returns the shop's webhook, which the first call registers: the API
// neither lists nor removes webhooks, and shows the secret only then.
func (s *Shop) Webhook(ctx context.Context, url string, events ...string) (*whozex.Webhook, error) {
	params := whozex.CreateWebhookParams{URL: url, Events: events}
	sum := fnv.New64a()
	_, _ = fmt.Fprint(sum, params)
	for n := range MostTries {
		key := fmt.Sprintf("webhook:%x:%d", sum.Sum(nil), n)
		r, err := s.Once.Get(ctx, key)
		if err == nil && r.State == idempotency.Indeterminate {
			continue
		}
		hook, err := s.Once.CreateWebhook(ctx, key, params)
		if !errors.Is(err, idempotency.ErrResultLost) {
			return hook, err
		}
	}
	return nil, fmt.Errorf("no webhook after %d tries: the account has room for ten", MostTries)
}
