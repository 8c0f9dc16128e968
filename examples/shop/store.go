package shop

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	bolt "go.etcd.io/bbolt"

	"github.com/whozex/whozex-go"
)

// Customer is a person, by the number under which the shop's front knows them,
// the sub-user that is theirs, and what was ordered for them: one document,
// changed in one transaction.
type Customer struct {
	ID     int64
	UserID string
	Email  string
	Orders map[string]*Order
}

// Bought returns the order that bought a package, nil if none did.
func (c *Customer) Bought(packageID string) *Order {
	for _, o := range c.Orders {
		if packageID != "" && o.PackageID == packageID {
			return o
		}
	}
	return nil
}

// buying tells that a purchase is not settled. Until it is no other is sent, so
// that a package that turns up can only be that order's.
func (c *Customer) buying() bool {
	return c.purchases(func(o *Order) bool { return o.Open() }) > 0
}

// sent counts the purchases that left and were not refused.
func (c *Customer) sent() int {
	return c.purchases(func(o *Order) bool { return o.Open() || o.State == Done })
}

func (c *Customer) purchases(which func(*Order) bool) (n int) {
	for _, o := range c.Orders {
		if !o.TopUp() && which(o) {
			n++
		}
	}
	return n
}

// State is how far an order has come. It only moves forward.
type State string

// The states of an order.
const (
	Quoted  State = "quoted"
	Sent    State = "sent"     // the call may have left
	InDoubt State = "in doubt" // nobody knows whether it was carried out
	Paid    State = "paid"     // carried out, but which package it is was not told yet
	Done    State = "done"
	Failed  State = "failed" // provably not carried out
)

// Order is a purchase or a top-up.
type Order struct {
	ID        string
	Asker     int64 // who is told how it ends
	GB        int
	ProxyType whozex.ProxyType
	Price     decimal.Decimal // in USD, as quoted
	Amount    decimal.Decimal // in USD, of a top-up
	State     State
	Doubt     *whozex.OutcomeUnknownError // what Reconcile needs, from before the call on
	Heard     []string                    // packages that events told of while it was open
	PackageID string
	Told      string // for the front: what it told of the package last
	Escalated bool
}

// TopUp tells a top-up from a purchase.
func (o *Order) TopUp() bool { return o.Amount.IsPositive() }

// Open tells that money may have moved and the result is not known.
func (o *Order) Open() bool { return o.State == Sent || o.unsettled() }

func (o *Order) unsettled() bool { return o.State == InDoubt || o.State == Paid }

var (
	customers = []byte("customers")
	webhooks  = []byte("webhooks")
)

func openDatabase(path string) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(customers); err != nil {
			return err
		}
		_, err := tx.CreateBucketIfNotExists(webhooks)
		return err
	})
	return db, err
}

// update reads a document, has it changed, and stores it, in one transaction.
func (s *Shop) update(bucket []byte, key string, doc any, change func() error) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		if data := b.Get([]byte(key)); data != nil {
			if err := json.Unmarshal(data, doc); err != nil {
				return err
			}
		}
		if err := change(); err != nil {
			return err
		}
		data, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		return b.Put([]byte(key), data)
	})
}

// Link makes a sub-user a customer's.
func (s *Shop) Link(id int64, user *whozex.User) error {
	_, err := s.change(id, func(c *Customer) error {
		c.ID, c.UserID, c.Email = id, user.ID, user.Email
		return nil
	})
	return err
}

// Customer returns a customer that was linked; [ErrNoCustomer] for others.
func (s *Shop) Customer(id int64) (c Customer, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		data := tx.Bucket(customers).Get([]byte(strconv.FormatInt(id, 10)))
		if data == nil {
			return ErrNoCustomer
		}
		return json.Unmarshal(data, &c)
	})
	return c, err
}

func (s *Shop) change(id int64, change func(*Customer) error) (c Customer, err error) {
	err = s.update(customers, strconv.FormatInt(id, 10), &c, func() error { return change(&c) })
	return c, err
}

func (s *Shop) customer(id int64, change func(*Customer) error) (Customer, error) {
	return s.change(id, func(c *Customer) error {
		if c.UserID == "" {
			return ErrNoCustomer
		}
		return change(c)
	})
}

// Offer stores an order of a customer, unless it is there already.
func (s *Shop) Offer(id int64, o Order) error {
	o.State = Quoted
	_, err := s.customer(id, func(c *Customer) error {
		if c.Orders == nil {
			c.Orders = map[string]*Order{}
		}
		if c.Orders[o.ID] == nil {
			c.Orders[o.ID] = &o
		}
		return nil
	})
	return err
}

// Change changes an order of a customer and returns it as it is then.
func (s *Shop) Change(id int64, orderID string, change func(*Customer, *Order) error) (*Order, error) {
	var o *Order
	_, err := s.customer(id, func(c *Customer) error {
		if o = c.Orders[orderID]; o == nil {
			return ErrNoOrder
		}
		return change(c, o)
	})
	return o, err
}

// Customers returns all customers. A shop with very many keeps indexes.
func (s *Shop) Customers() (all []Customer, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(customers).ForEach(func(_, data []byte) error {
			var c Customer
			err := json.Unmarshal(data, &c)
			all = append(all, c)
			return err
		})
	})
	return all, err
}

// Orders returns the orders that match, by customer and id.
func (s *Shop) Orders(match func(*Customer, *Order) bool) (found []*Order, owners []Customer, err error) {
	all, err := s.Customers()
	for _, c := range all {
		for _, o := range slices.SortedFunc(maps.Values(c.Orders), func(a, b *Order) int { return strings.Compare(a.ID, b.ID) }) {
			if match(&c, o) {
				found, owners = append(found, o), append(owners, c)
			}
		}
	}
	return found, owners, err
}
