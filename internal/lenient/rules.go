package lenient

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/internal/apitag"
)

// field is what the struct tags json and api say of one field, for one operation.
type field struct {
	index      int
	name       string
	alias      string
	documented bool // for the operation
	optional   bool
	null       bool
	path       bool
	decimal    bool
}

type fieldsKey struct {
	t         reflect.Type
	operation string
}

var fieldsOf sync.Map // of []field by fieldsKey

func fieldsFor(t reflect.Type, operation string) []field {
	key := fieldsKey{t, operation}
	if known, ok := fieldsOf.Load(key); ok {
		return known.([]field)
	}
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		fields = append(fields, newField(i, name, f, operation))
	}
	fieldsOf.Store(key, fields)
	return fields
}

func newField(index int, name string, f reflect.StructField, operation string) field {
	made := field{index: index, name: name, documented: true, null: f.Type == nullDecimalType, decimal: f.Type == decimalType}
	for _, rule := range apitag.Of(f, operation) {
		switch rule.Name {
		case "inferred":
			made.documented = false
		case "documented":
			made.documented = made.documented && rule.Named
		case "optional":
			made.documented, made.optional = false, true
		case "only":
			made.documented, made.optional = made.documented && rule.Named, !rule.Named
		case "null":
			made.null = true
		case "path":
			made.path = rule.Named
		case "alias":
			made.alias = rule.Value
		}
	}
	return made
}

// matches reports whether a member of this name is the field's, of which so far it
// is known what got says.
func (f field) matches(name string, got result) bool {
	return strings.EqualFold(name, f.name) || f.alias != "" && name == f.alias && got != read
}

var (
	decimalType     = reflect.TypeFor[decimal.Decimal]()
	nullDecimalType = reflect.TypeFor[decimal.NullDecimal]()
	timeType        = reflect.TypeFor[time.Time]()
)
