// Package shop is what every shop on the API needs behind its front, be it a bot
// or a page: customers, orders that are carried out once whatever crashes, and
// the webhook, in one file. It is the only buyer for its customers.
package shop

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/whozex/whozex-go"
)

// Refusal is an error fit to be told to a customer as it stands.
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

// Shop is open from [Open] to Close.
type Shop struct {
	API *whozex.Client
	Log *slog.Logger
	// Tell tells the asker of an order how it stands.
	Tell func(context.Context, *Order)
	// Alarm tells an admin what needs a look.
	Alarm func(ctx context.Context, text string)

	db       *bolt.DB
	running  sync.WaitGroup // calls that spend
	settling sync.Mutex
}

// Open opens the shop kept in a file, or a new one. Tell and Alarm are to be set
// then, and [Shop.Resume] to be called before the first order is taken.
func Open(path string, api *whozex.Client, log *slog.Logger) (s *Shop, err error) {
	s = &Shop{API: api, Log: log}
	s.db, err = openDatabase(path)
	return s, err
}

// Close waits for the calls under way.
func (s *Shop) Close() error {
	s.running.Wait()
	return s.db.Close()
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

// Webhook is registered once: the API neither lists nor removes webhooks, and
// shows the secret only then.
type Webhook struct {
	ID, Secret string
	Tries      int
}

// MostTries bounds how often a webhook is registered whose secret did not arrive:
// each may take one of the account's ten places for good.
const MostTries = 3

// Webhook returns the shop's webhook, which the first call registers.
func (s *Shop) Webhook(ctx context.Context, url string, events ...string) (hook Webhook, err error) {
	if err := s.update(webhooks, "own", &hook, func() error {
		if hook.Tries == MostTries && hook.Secret == "" {
			return fmt.Errorf("no webhook after %d tries: the account has room for ten", MostTries)
		}
		if hook.Secret == "" {
			hook.Tries++
		}
		return nil
	}); err != nil || hook.Secret != "" {
		return hook, err
	}
	made, err := s.API.CreateWebhook(ctx, whozex.CreateWebhookParams{URL: url, Events: events})
	if err != nil {
		return hook, err
	}
	err = s.update(webhooks, "own", &hook, func() error {
		hook.ID, hook.Secret = made.ID, string(made.Secret)
		return nil
	})
	return hook, err
}
