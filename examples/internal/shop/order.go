package shop

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// Order is a purchase or a top-up. Its idempotency key holds all of it, so that it
// needs no other place: a button that carries the key carries the order, and what
// comes of a key is known to be that order's.
type Order struct {
	ID        string // unique for its customer; letters, digits and -
	Asker     int64  // who is told how it ends
	Customer  int64
	GB        int // of a purchase
	ProxyType whozex.ProxyType
	Price     decimal.Decimal // in USD, as quoted
	Amount    decimal.Decimal // in USD, of a top-up
}

// TopUp reports whether it is a top-up and not a purchase.
func (o Order) TopUp() bool { return o.Amount.IsPositive() }

// Key is the order's idempotency key.
func (o Order) Key() string {
	if o.TopUp() {
		return fmt.Sprintf("topup:%d:%d:%s:%s", o.Asker, o.Customer, o.ID, o.Amount)
	}
	return fmt.Sprintf("buy:%d:%s:%d:%s:%s", o.Customer, o.ID, o.GB, o.ProxyType, o.Price)
}

// ParseOrder reads a key; [ErrNoOrder] if it is not that of an order.
func ParseOrder(key string) (o Order, err error) {
	words := strings.Split(key, ":")
	switch {
	case len(words) == 5 && words[0] == "topup":
		o.ID = words[3]
		read(&err, &o.Asker, words[1], number)
		read(&err, &o.Customer, words[2], number)
		read(&err, &o.Amount, words[4], decimal.NewFromString)
	case len(words) == 6 && words[0] == "buy":
		o.ID, o.ProxyType = words[2], whozex.ProxyType(words[4])
		read(&err, &o.Customer, words[1], number)
		read(&err, &o.GB, words[3], strconv.Atoi)
		read(&err, &o.Price, words[5], decimal.NewFromString)
		o.Asker = o.Customer
	}
	if err != nil || o.Key() != key {
		return Order{}, ErrNoOrder
	}
	return o, nil
}

func read[T any](err *error, into *T, text string, parse func(string) (T, error)) {
	if *err == nil {
		*into, *err = parse(text)
	}
}

func number(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }
