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
	return complete(reflect.ValueOf(v).Elem(), operation, false)
}

func complete(v reflect.Value, operation string, item bool) bool {
	for _, f := range fieldsFor(v.Type(), operation) {
		if !filled(v.Field(f.index), f, operation, item) {
			return false
		}
	}
	return true
}

func filled(v reflect.Value, f field, operation string, item bool) bool {
	switch v.Kind() {
	case reflect.String:
		return v.Len() > 0 || !f.identifies() && (item || f.null || !f.documented)
	case reflect.Int:
		return v.Int() != 0 || !f.amount()
	case reflect.Struct:
		switch v.Type() {
		case decimalType:
			return bounded(*v.Addr().Interface().(*decimal.Decimal), f.documented)
		case nullDecimalType:
			return bounded(v.Addr().Interface().(*decimal.NullDecimal).Decimal, false)
		case timeType:
			return true
		}
		return complete(v, operation, item)
	case reflect.Slice:
		if v.IsNil() && f.documented {
			return false
		}
		if v.Type().Elem().Kind() != reflect.Struct {
			return true
		}
		for i := range v.Len() {
			if !complete(v.Index(i), operation, true) {
				return false
			}
		}
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
func (f field) amount() bool { return f.documented && (f.decimal || f.name == "gb") }

// identifies reports whether a result without the field is of no use.
func (f field) identifies() bool { return f.path || f.name == "id" && f.documented }
