package idempotency

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/whozex/whozex-go"
)

// queue lets one purchase of a user at a time through, of this process.
type queue struct {
	mu    sync.Mutex
	users map[string]*place
}

type place struct {
	taken   chan struct{} // holds one while a purchase is under way
	waiting int
}

func (q *queue) enter(ctx context.Context, user string) (leave func(), err error) {
	q.mu.Lock()
	if q.users == nil {
		q.users = map[string]*place{}
	}
	p := q.users[user]
	if p == nil {
		p = &place{taken: make(chan struct{}, 1)}
		q.users[user] = p
	}
	p.waiting++
	q.mu.Unlock()
	gone := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if p.waiting--; p.waiting == 0 {
			delete(q.users, user)
		}
	}
	select {
	case p.taken <- struct{}{}:
		return func() { <-p.taken; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}

// beforePurchase makes sure that no other purchase of the user is open, and counts
// the user's packages, which Reconcile needs. The claim checks that no purchase
// began since.
func (o *Once) beforePurchase(ctx context.Context, key, userID string) (buyer, *int, error) {
	failed := func(err error) (buyer, *int, error) {
		return buyer{}, nil, fmt.Errorf("idempotency: before the purchase of key %s, nothing was sent: %w", key, err)
	}
	b, err := o.store.buyer(ctx, userID)
	if err != nil {
		return failed(err)
	}
	open, err := o.store.openPurchase(ctx, userID)
	if err != nil {
		return failed(err)
	}
	if open != nil && open.Key != key {
		if !open.InProgress {
			if open, err = o.settle(ctx, open); err != nil {
				return failed(err)
			}
		}
		if open.open() {
			return buyer{}, nil, keyError(ErrUserBusy, key, open.String())
		}
	}
	if o.shared {
		return b, nil, nil
	}
	user, err := o.find(ctx, userID, b.email)
	if err != nil {
		return failed(err)
	}
	o.timed.Store(true)
	if user == nil {
		return b, nil, nil // the API says what is wrong with the id
	}
	b.email = user.Email
	return b, &user.PackageCount, nil
}

// find reads a user afresh: by a search for the email, where it is known. The API
// has no route to a user by id.
func (o *Once) find(ctx context.Context, userID, email string) (*whozex.User, error) {
	searches := []string{""}
	if email != "" {
		searches = []string{email, ""}
	}
	for _, search := range searches {
		for page := 1; ; page++ {
			users, err := o.client.ListUsers(ctx, whozex.ListUsersParams{Page: page, Limit: 100, Search: search}, whozex.Fresh())
			if err != nil {
				return nil, err
			}
			for _, user := range users.Items {
				if user.ID == userID {
					return &user, nil
				}
			}
			if !users.Pagination.HasNext || len(users.Items) == 0 {
				break
			}
			if page == mostPages {
				return nil, errors.New("the list of users does not end")
			}
		}
	}
	return nil, nil
}

// mostPages bounds the search for a user.
const mostPages = 10_000
