// Package shop is the backend of a shop on the API, for a bot or a web page:
// customers, orders that are executed at most once, and the webhook. All its data
// are idempotency keys and their results.
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

// UserError is an error whose text can be shown to a customer.
type UserError string

// Error returns the text.
func (r UserError) Error() string { return string(r) }

// The errors of this package for customers.
const (
	ErrNoCustomer UserError = "You are not a customer here yet."
	ErrNoOrder    UserError = "You have no such order."
	ErrInProgress UserError = "This order is in progress. Nothing is sent twice; please wait."
	ErrBusy       UserError = "Your previous order is not finished yet."
)

// Shop executes orders from [Open] to Close. Packages for its customers must be
// bought only through it, or through others with the same store.
type Shop struct {
	API  *whozex.Client
	Once *idempotency.Once
	Log  *slog.Logger
	// Notify notifies the requester of an order of its state.
	Notify func(context.Context, Order, *idempotency.Record)
	// AlertAdmin notifies an admin of a problem.
	AlertAdmin func(ctx context.Context, text string)

	running     sync.WaitGroup // mutating calls in progress
	alertedKeys sync.Map       // keys of orders that an admin was alerted of
}

// Open opens the shop with a store of idempotency keys, such as "sqlite:shop.db". The
// caller must set Notify and AlertAdmin before using it.
func Open(ctx context.Context, dataSource string, api *whozex.Client, log *slog.Logger) (*Shop, error) {
	store, err := idempotency.Open(ctx, dataSource)
	if err != nil {
		return nil, err
	}
	s := &Shop{API: api, Log: log}
	s.Once = idempotency.New(api, store, idempotency.WithOnSettled(func(ctx context.Context, r *idempotency.Record) {
		if o, err := ParseOrder(r.Key); err == nil {
			s.Notify(ctx, o, r)
		}
	}))
	return s, nil
}

// Close waits for the calls in progress and closes the store.
func (s *Shop) Close() error {
	s.running.Wait()
	return s.Once.Store().Close()
}

// Customer is a person and the sub-user of that person.
type Customer struct {
	ID            int64  // the person's number in the frontend
	UserID, Email string // the sub-user
}

func customerKey(id int64) string { return fmt.Sprintf("customer:%d", id) }

// Register makes a person a customer and returns the sub-user with that email. The
// first call creates it.
func (s *Shop) Register(ctx context.Context, id int64, email string) (*whozex.User, error) {
	_, err := s.Once.CreateUser(ctx, customerKey(id), whozex.CreateUserParams{Email: email})
	// The email is made from the customer's number, so an existing sub-user with it
	// belongs to this customer, even if the response that created it was lost.
	if err != nil && !errors.Is(err, whozex.ErrEmailTaken) && !errors.Is(err, idempotency.ErrIndeterminate) {
		return nil, err
	}
	return s.User(ctx, email)
}

// Customer returns a registered customer, or [ErrNoCustomer].
func (s *Shop) Customer(ctx context.Context, id int64) (Customer, error) {
	r, err := s.Once.Get(ctx, customerKey(id))
	if errors.Is(err, idempotency.ErrUnknownKey) {
		return Customer{}, ErrNoCustomer
	} else if err != nil {
		return Customer{}, err
	}
	c := Customer{ID: id, UserID: r.ResultID, Email: parseParams(r).Email}
	if c.UserID != "" {
		return c, nil
	}
	user, err := s.User(ctx, c.Email) // the sub-user existed before
	if errors.Is(err, whozex.ErrNotFound) {
		return c, ErrNoCustomer
	} else if err != nil {
		return c, err
	}
	c.UserID = user.ID
	return c, nil
}

// User returns the current data of a sub-user. The API has no route that returns
// one by id.
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

// MaxWebhookAttempts limits how often a webhook is registered when the response with
// its secret is lost. Each attempt may use one of the account's ten webhooks, which
// cannot be removed.
const MaxWebhookAttempts = 3

// Webhook returns the shop's webhook. The first call registers it: the API does not
// list webhooks, and returns the secret only once.
func (s *Shop) Webhook(ctx context.Context, url string, events ...string) (*whozex.Webhook, error) {
	params := whozex.CreateWebhookParams{URL: url, Events: events}
	sum := fnv.New64a()
	_, _ = fmt.Fprint(sum, params)
	for n := range MaxWebhookAttempts {
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
	return nil, fmt.Errorf("no webhook after %d attempts; an account can have ten", MaxWebhookAttempts)
}
