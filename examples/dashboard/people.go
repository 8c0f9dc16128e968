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

// The list of all users is read again after meetEvery, or meetAgain if that failed.
const (
	meetEvery = 5 * time.Minute
	meetAgain = 30 * time.Second
)

// people remembers users by id, in the order in which the API lists them.
type people struct {
	mu     sync.Mutex
	all    map[string]*knownUser
	readAt time.Time // of the whole list; zero until then
}

type knownUser struct {
	whozex.User
	text string // in which a search looks
}

func newPeople() *people {
	return &people{all: map[string]*knownUser{}}
}

func (p *people) learn(users ...whozex.User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, user := range users {
		p.all[user.ID] = &knownUser{user, strings.ToLower(user.Name + "\n" + user.Email)}
	}
}

func (p *people) get(id string) whozex.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.all[id]; found != nil {
		return found.User
	}
	return whozex.User{}
}

// matching lists who has text in name or email, as the API's own search does.
func (p *people) matching(text string) []*knownUser {
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

// userOrders are the ways to sort users; the first is the API's own.
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

// sorted has one page of the users that match, of those read so far.
func (p *people) sorted(query, order string, page pager) ([]whozex.User, pager) {
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

// read is when the list of all users was read, zero if it was not yet, and how many
// are known.
func (p *people) read() (time.Time, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.readAt, len(p.all)
}

// meet reads all users from time to time, for names and for orders that the API
// does not have.
func (d *dashboard) meet(ctx context.Context) {
	for ctx.Err() == nil {
		wait, began := meetAgain, time.Now()
		if _, err := d.find(ctx, "-"); errors.Is(err, errNoUser) { // nobody of that id among all
			d.people.mu.Lock()
			d.people.readAt, wait = began, meetEvery
			d.people.mu.Unlock()
		}
		d.met.Store(true)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}
