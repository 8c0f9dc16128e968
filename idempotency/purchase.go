package idempotency

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/whozex/whozex-go"
)

// purchaseQueue runs the purchases of one user one at a time within this process.
type purchaseQueue struct {
	mu    sync.Mutex
	users map[string]*userLock
}

type userLock struct {
	held chan struct{} // a mutex whose lock can be cancelled
	refs int           // callers that hold it or wait for it
}

func (q *purchaseQueue) enter(ctx context.Context, user string) (leave func(), err error) {
	q.mu.Lock()
	if q.users == nil {
		q.users = map[string]*userLock{}
	}
	lock := q.users[user]
	if lock == nil {
		lock = &userLock{held: make(chan struct{}, 1)}
		q.users[user] = lock
	}
	lock.refs++
	q.mu.Unlock()
	release := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if lock.refs--; lock.refs == 0 {
			delete(q.users, user)
		}
	}
	select {
	case lock.held <- struct{}{}:
		return func() { <-lock.held; release() }, nil
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
}

// beforePurchase makes sure that the user has no other open purchase, and counts the
// user's packages for Reconcile. The claim later checks that no purchase began in
// the meantime.
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
			if open, err = o.settleAndNotify(ctx, open); err != nil {
				return failed(err)
			}
		}
		if open.open() {
			return buyer{}, nil, keyError(ErrUserBusy, key, open.String())
		}
	}
	if o.otherBuyers {
		return b, nil, nil
	}
	user, err := o.findUser(ctx, userID, b.email)
	if err != nil {
		return failed(err)
	}
	o.clockSynced.Store(true)
	if user == nil {
		return b, nil, nil // the API will return an error for the id
	}
	b.email = user.Email
	return b, &user.PackageCount, nil
}

// findUser reads a user past the cache. The API has no route that returns a user
// by id, so it searches for the email, if known, and then through all users.
func (o *Once) findUser(ctx context.Context, userID, email string) (*whozex.User, error) {
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
			if page == maxPages {
				return nil, errors.New("the list of users does not end")
			}
		}
	}
	return nil, nil
}

// maxPages limits the search for a user.
const maxPages = 10_000
