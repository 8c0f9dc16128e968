package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whozex/whozex-go"
)

// The list of all users is read again after usersInterval, or after usersRetry if that
// failed.
const (
	usersInterval = 5 * time.Minute
	usersRetry    = 30 * time.Second
)

// userCache remembers users by id.
type userCache struct {
	mu     sync.Mutex
	all    map[string]*knownUser
	readAt time.Time // when the whole list was read; zero before
}

type knownUser struct {
	whozex.User
	text string // name and email in lower case, for searches
}

func newUserCache() *userCache {
	return &userCache{all: map[string]*knownUser{}}
}

func (p *userCache) add(users ...whozex.User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, user := range users {
		p.all[user.ID] = &knownUser{user, strings.ToLower(user.Name + "\n" + user.Email)}
	}
}

func (p *userCache) get(id string) whozex.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.all[id]; found != nil {
		return found.User
	}
	return whozex.User{}
}

// matching lists users with text in name or email, as the API's search does.
func (p *userCache) matching(text string) []*knownUser {
	p.mu.Lock()
	defer p.mu.Unlock()
	text = strings.ToLower(text)
	list := make([]*knownUser, 0, len(p.all))
	for _, one := range p.all {
		if strings.Contains(one.text, text) {
			list = append(list, one)
		}
	}
	return list
}

// userOrders are the orders of users; the first is that of the API.
var userOrders = []listOption{
	{"", "Newest first"}, {"oldest", "Oldest first"}, {"balance", "Highest balance"}, {"balance-low", "Lowest balance"},
	{"packages", "Most packages"}, {"packages-few", "Fewest packages"},
}

var compareUsers = map[string]func(a, b *knownUser) int{
	"oldest":       func(a, b *knownUser) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"balance":      func(a, b *knownUser) int { return b.Balance.Cmp(a.Balance) },
	"balance-low":  func(a, b *knownUser) int { return a.Balance.Cmp(b.Balance) },
	"packages":     func(a, b *knownUser) int { return cmp.Compare(b.PackageCount, a.PackageCount) },
	"packages-few": func(a, b *knownUser) int { return cmp.Compare(a.PackageCount, b.PackageCount) },
}

// sorted returns one page of the matching users among those read so far.
func (p *userCache) sorted(query, order string, page pager) ([]whozex.User, pager) {
	list := p.matching(query)
	compare := compareUsers[order]
	slices.SortFunc(list, func(a, b *knownUser) int {
		return cmp.Or(compare(a, b), b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	page, from, to := page.of(len(list))
	users := make([]whozex.User, 0, to-from)
	for _, one := range list[from:to] {
		users = append(users, one.User)
	}
	return users, page
}

// read returns when the list of all users was read, zero before, and how many users are
// known.
func (p *userCache) read() (time.Time, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.readAt, len(p.all)
}

// readUsers reads all users every usersInterval, for their names and for orders that
// the API does not have.
func (d *dashboard) readUsers(ctx context.Context) {
	for ctx.Err() == nil {
		wait, began := usersRetry, time.Now()
		if _, err := d.find(ctx, "-"); errors.Is(err, errNoUser) { // no user has that id, so all were read
			d.userCache.mu.Lock()
			d.userCache.readAt, wait = began, usersInterval
			d.userCache.mu.Unlock()
		}
		d.usersRead.Store(true)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
