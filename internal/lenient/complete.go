package lenient

import (
	"reflect"

	"github.com/shopspring/decimal"
)

// maxExponent bounds a decimal's exponent: written out, a larger one would fill
// the memory.
const maxExponent = 64

// Complete reports whether v, a pointer to a struct that encoding/json has filled,
// holds each amount, id and text that the documentation promises for operation. Texts
// of items may be empty: a list of many such must not be read twice.
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

// bounded reports whether d was decoded, which shows in its bits even if it is 0,
// and can be written out.
func bounded(d decimal.Decimal, needed bool) bool {
	if d == (decimal.Decimal{}) {
		return !needed
	}
	return d.Exponent() <= maxExponent && d.Exponent() >= -maxExponent
}

// amount reports whether the documentation promises USD or GB in the field.
func (f *field) amount() bool { return f.documented && (f.kind == money || f.name == "gb") }

// holdsAmounts reports whether it promises them in the field or within it.
func (f *field) holdsAmounts() bool {
	for i := range f.fields {
		if f.documented && f.fields[i].holdsAmounts() {
			return true
		}
	}
	return f.amount()
}

// identifies reports whether a result without the field is of no use.
func (f *field) identifies() bool { return f.path || f.name == "id" && f.documented }
