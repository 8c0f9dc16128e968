package lenient

import (
	"reflect"

	"github.com/shopspring/decimal"
)

// maxExponent bounds a decimal's exponent: a larger one would need too much memory when
// the number is written out.
const maxExponent = 64

// Complete reports whether v, a pointer to a struct that encoding/json has filled, has
// every documented amount, id and text of operation. Texts of list items may be empty, so
// that a long list with empty texts is not decoded twice.
func Complete(v any, operation string) bool {
	value := reflect.ValueOf(v).Elem()
	return complete(value, fieldsFor(value.Type(), operation))
}

func complete(v reflect.Value, fields []field) bool {
	for i := range fields {
		if f := &fields[i]; f.kind != anything && !f.filled(v.Field(f.index)) {
			return false
		}
	}
	return true
}

func (f *field) filled(v reflect.Value) bool {
	switch f.kind {
	case words:
		return v.Len() > 0
	case count:
		return v.Int() != 0
	case money:
		return bounded(*v.Addr().Interface().(*decimal.Decimal), f.documented)
	case nullableMoney:
		return bounded(v.Addr().Interface().(*decimal.NullDecimal).Decimal, false)
	case object:
		return complete(v, f.fields)
	case list:
		if v.IsNil() && f.documented {
			return false
		}
		for i := range v.Len() {
			if !complete(v.Index(i), f.fields) {
				return false
			}
		}
	case anything:
	}
	return true
}

// bounded reports whether d was decoded and can be written out. A decoded 0 differs from
// the zero Decimal.
func bounded(d decimal.Decimal, needed bool) bool {
	if d == (decimal.Decimal{}) {
		return !needed
	}
	return d.Exponent() <= maxExponent && d.Exponent() >= -maxExponent
}

// amount reports whether the field is a documented amount of USD or GB.
func (f *field) amount() bool { return f.documented && (f.kind == money || f.name == "gb") }

// holdsAmounts reports whether the field is such an amount or contains one.
func (f *field) holdsAmounts() bool {
	for i := range f.fields {
		if f.documented && f.fields[i].holdsAmounts() {
			return true
		}
	}
	return f.amount()
}

// identifies reports whether a result without the field is useless.
func (f *field) identifies() bool { return f.path || f.name == "id" && f.documented }
