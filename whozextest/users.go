package whozextest

import (
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

type user struct {
	id, name, email string
	search          string // name and email in lower case
	balance         decimal.Decimal
	packages        []string
	created         time.Time
}

type users struct {
	list    []*user // oldest first
	byID    map[string]*user
	byEmail map[string]*user // in lower case
}

func newUsers() users {
	return users{byID: map[string]*user{}, byEmail: map[string]*user{}}
}

func (us *users) taken(email string) bool { return us.byEmail[strings.ToLower(email)] != nil }

func (us *users) add(email, name string, at time.Time) *user {
	if strings.TrimSpace(name) == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	u := &user{id: newUUID(), name: name, email: email, search: strings.ToLower(name + "\n" + email), created: at}
	us.list = append(us.list, u)
	us.byID[u.id], us.byEmail[strings.ToLower(email)] = u, u
	return u
}

func (us *users) remove(u *user) {
	us.list = slices.DeleteFunc(us.list, func(other *user) bool { return other == u })
	delete(us.byID, u.id)
	delete(us.byEmail, strings.ToLower(u.email))
}

func validEmail(email string) bool {
	address, err := mail.ParseAddress(email)
	return err == nil && address.Address == email && len(email) <= 254
}

type userView struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Email        string `json:"email"`
	Balance      money  `json:"balance"`
	PackageCount int    `json:"package_count"`
	CreatedAt    string `json:"created_at"`
}

func (u *user) view() userView {
	return userView{
		ID: u.id, Name: u.name, Email: u.email, Balance: money(u.balance),
		PackageCount: len(u.packages), CreatedAt: stamp(u.created),
	}
}

type usersPage struct {
	Users      []userView `json:"users"`
	Pagination pagination `json:"pagination"`
}

func (s *Server) listUsers(c *call) (any, *failure) {
	page, limit, failed := c.page()
	if failed != nil {
		return nil, failed
	}
	list := s.users.list
	if search := strings.ToLower(c.query.Get("search")); search != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(u *user) bool { return !strings.Contains(u.search, search) })
	}
	views, p := paginate(list, page, limit, (*user).view)
	return usersPage{Users: views, Pagination: p}, nil
}

func (s *Server) createUser(c *call) (any, *failure) {
	email, failed := c.requiredText("email")
	if failed != nil {
		return nil, failed
	}
	name, failed := c.text("name")
	if failed != nil {
		return nil, failed
	}
	if _, failed = c.text("note"); failed != nil {
		return nil, failed
	}
	if !validEmail(email) {
		return nil, invalidParam("email is not a valid address")
	}
	if s.users.taken(email) {
		return nil, &failure{status: http.StatusConflict, code: "EMAIL_TAKEN", message: "Email is already registered"}
	}
	u := s.users.add(email, name, s.now())
	s.emit(whozex.EventUserCreated, userCreatedData{UserID: u.id, Email: u.email, Name: u.name})
	return u.view(), nil
}
