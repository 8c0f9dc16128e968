package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
	bolt "go.etcd.io/bbolt"

	"github.com/whozex/whozex-go"
)

// customer is a person on Telegram and the sub-user that is theirs.
type customer struct {
	Telegram int64
	UserID   string
	Email    string
}

// state is how far an order has come. It only ever moves forward.
type state string

const (
	quoted  state = "quoted"   // the button is shown
	sent    state = "sent"     // the call may have left
	unknown state = "in doubt" // nobody knows whether it was carried out
	paid    state = "paid"     // carried out, but which package it is was not told yet
	done    state = "done"
	failed  state = "failed" // provably not carried out
)

// open tells that money may move, or may have moved, without its result known.
func (s state) open() bool { return s == sent || s == unknown || s == paid }

// order is one purchase or top-up. It is stored before the call is made.
type order struct {
	ID        string
	Customer  int64 // on Telegram, who is told
	UserID    string
	GB        int
	ProxyType whozex.ProxyType
	Price     decimal.Decimal
	Amount    decimal.Decimal // of a top-up
	State     state
	PackageID string
	// Doubt is what Reconcile needs; it is there from before the call, so that a
	// crash in the middle of it can be settled too.
	Doubt *whozex.OutcomeUnknownError
	// Escalated tells that an admin was asked to look.
	Escalated bool
}

func (o order) topUp() bool { return o.Amount.IsPositive() }

// pack is a package bought here or heard of in an event.
type pack struct {
	ID     string
	UserID string
	GB     int64
	Order  string // empty while it is not known which order bought it
	Seen   time.Time
	// Low remembers the size at which the customer was told that little is left.
	Low string
}

// webhook is registered once: the API neither lists nor removes webhooks, and
// shows the secret only this once.
type webhook struct {
	ID, Secret string
	Tries      int
}

type store struct{ db *bolt.DB }

var (
	customers = []byte("customers")
	orders    = []byte("orders")
	packages  = []byte("packages")
	meta      = []byte("meta")
)

func openStore(path string) (*store, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 5 * time.Second})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{customers, orders, packages, meta} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	return &store{db}, err
}

func read[T any](tx *bolt.Tx, bucket []byte, key string) (v T, found bool, err error) {
	data := tx.Bucket(bucket).Get([]byte(key))
	if data == nil {
		return v, false, nil
	}
	return v, true, json.Unmarshal(data, &v)
}

func write(tx *bolt.Tx, bucket []byte, key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put([]byte(key), data)
}

func get[T any](s *store, bucket []byte, key string) (v T, found bool, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		v, found, err = read[T](tx, bucket, key)
		return err
	})
	return v, found, err
}

func (s *store) put(bucket []byte, key string, v any) error {
	return s.db.Update(func(tx *bolt.Tx) error { return write(tx, bucket, key, v) })
}

// all returns the values of a bucket that keep keeps, in the order of their keys.
func all[T any](s *store, bucket []byte, keep func(T) bool) (found []T, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		found, err = scan(tx, bucket, keep)
		return err
	})
	return found, err
}

func scan[T any](tx *bolt.Tx, bucket []byte, keep func(T) bool) (found []T, err error) {
	err = tx.Bucket(bucket).ForEach(func(_, data []byte) error {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		if keep(v) {
			found = append(found, v)
		}
		return nil
	})
	return found, err
}

var errBusy = errors.New("another order of this customer is not settled yet")

// offer stores an order unless it is there already.
func (s *store) offer(o order) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		if _, found, err := read[order](tx, orders, o.ID); found || err != nil {
			return err
		}
		return write(tx, orders, o.ID, o)
	})
}

// claim moves a quoted order to sent, once: whoever comes second gets it as it
// is. While a purchase of a customer is not settled no other is sent, so that a
// package that turns up for this customer can only be that order's. A top-up is
// known by its note and waits for none.
func (s *store) claim(id string, doubt *whozex.OutcomeUnknownError) (o order, claimed bool, err error) {
	err = s.db.Update(func(tx *bolt.Tx) error {
		var found bool
		if o, found, err = read[order](tx, orders, id); err != nil || !found || o.State != quoted {
			return err
		}
		others, err := scan(tx, orders, func(other order) bool {
			return !o.topUp() && !other.topUp() && other.UserID == o.UserID && other.State.open()
		})
		if err != nil {
			return err
		}
		if len(others) > 0 {
			return errBusy
		}
		o.State, o.Doubt, claimed = sent, doubt, true
		return write(tx, orders, id, o)
	})
	return o, claimed, err
}

// learn stores a package, and to which order it belongs if that is known.
func (s *store) learn(p pack) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		if known, found, err := read[pack](tx, packages, p.ID); err != nil {
			return err
		} else if found {
			if known.Order == "" {
				known.Order = p.Order
			}
			p = known
		}
		return write(tx, packages, p.ID, p)
	})
}

// adopt gives an order in doubt the package that an event told of, if there is
// just one that can be it.
func (s *store) adopt(o order) (_ order, adopted bool, err error) {
	err = s.db.Update(func(tx *bolt.Tx) error {
		candidates, err := scan(tx, packages, func(p pack) bool {
			return p.UserID == o.UserID && p.GB == int64(o.GB) && (p.Order == "" || p.Order == o.ID) && !p.Seen.Before(o.Doubt.SentAt)
		})
		if err != nil || len(candidates) != 1 {
			return err
		}
		p := candidates[0]
		p.Order, o.PackageID, o.State, adopted = o.ID, p.ID, done, true
		if err := write(tx, packages, p.ID, p); err != nil {
			return err
		}
		return write(tx, orders, o.ID, o)
	})
	return o, adopted, err
}
