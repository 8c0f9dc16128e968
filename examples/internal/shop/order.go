package shop

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// Order is a purchase or a top-up. Its idempotency key contains all fields, so that
// it is not stored anywhere else: a button with the key contains the order, and the
// row of a key belongs to exactly one order.
type Order struct {
	ID        string // unique for its customer; letters, digits and -
	Requester int64  // who is notified of the result
	Customer  int64
	GB        int // of a purchase
	ProxyType whozex.ProxyType
	Price     decimal.Decimal // of a purchase, in USD, as quoted
	Amount    decimal.Decimal // of a top-up, in USD
}

// TopUp reports whether the order is a top-up and not a purchase.
func (o Order) TopUp() bool { return o.Amount.IsPositive() }

// Key returns the order's idempotency key.
func (o Order) Key() string {
	if o.TopUp() {
		return fmt.Sprintf("topup:%d:%d:%s:%s", o.Requester, o.Customer, o.ID, o.Amount)
	}
	return fmt.Sprintf("buy:%d:%s:%d:%s:%s", o.Customer, o.ID, o.GB, o.ProxyType, o.Price)
}

// ParseOrder parses a key. It returns [ErrNoOrder] if it is not the key of an order.
func ParseOrder(key string) (o Order, err error) {
	parts := strings.Split(key, ":")
	switch {
	case len(parts) == 5 && parts[0] == "topup":
		o.ID = parts[3]
		parseInto(&err, &o.Requester, parts[1], parseInt64)
		parseInto(&err, &o.Customer, parts[2], parseInt64)
		parseInto(&err, &o.Amount, parts[4], decimal.NewFromString)
	case len(parts) == 6 && parts[0] == "buy":
		o.ID, o.ProxyType = parts[2], whozex.ProxyType(parts[4])
		parseInto(&err, &o.Customer, parts[1], parseInt64)
		parseInto(&err, &o.GB, parts[3], strconv.Atoi)
		parseInto(&err, &o.Price, parts[5], decimal.NewFromString)
		o.Requester = o.Customer
	}
	if err != nil || o.Key() != key {
		return Order{}, ErrNoOrder
	}
	return o, nil
}

// parseInto parses text into dst, unless err has an earlier error.
func parseInto[T any](err *error, dst *T, text string, parse func(string) (T, error)) {
	if *err == nil {
		*dst, *err = parse(text)
	}
}

func parseInt64(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }
