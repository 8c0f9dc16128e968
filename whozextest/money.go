package whozextest

import (
	"strings"

	"github.com/shopspring/decimal"
)

// money is encoded as a JSON number of two places, or more where needed.
type money decimal.Decimal

func (m money) String() string {
	whole, fraction, _ := strings.Cut(decimal.Decimal(m).String(), ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	return whole + "." + fraction
}

// MarshalJSON implements json.Marshaler.
func (m money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// quantity is encoded as the shortest JSON number.
type quantity decimal.Decimal

// MarshalJSON implements json.Marshaler.
func (q quantity) MarshalJSON() ([]byte, error) { return []byte(decimal.Decimal(q).String()), nil }

func nullMoney(d decimal.NullDecimal) *money {
	if !d.Valid {
		return nil
	}
	m := money(d.Decimal)
	return &m
}
