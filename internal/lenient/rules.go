package lenient

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/internal/apitag"
)

// field holds the rules of one field from its tags json and api, for one operation.
type field struct {
	index      int
	name       string
	alias      string
	documented bool // for the operation
	optional   bool
	null       bool
	path       bool
	kind       kind
	fields     []field // of an object, or of the items of a list
}

// A kind determines when a field is complete.
type kind int

const (
	anything kind = iota
	words         // a string that must not be empty
	count         // of GB
	money         // or GB
	nullableMoney
	object
	list
)

// plans holds the fields of each type, by operation. A lookup allocates nothing, since
// each response needs one.
var plans sync.Map // *plan by reflect.Type

type plan struct {
	mu          sync.RWMutex
	byOperation map[string][]field
}

func fieldsFor(t reflect.Type, operation string) []field {
	known, ok := plans.Load(t)
	if !ok {
		known, _ = plans.LoadOrStore(t, &plan{byOperation: map[string][]field{}})
	}
	p := known.(*plan)
	p.mu.RLock()
	fields, ok := p.byOperation[operation]
	p.mu.RUnlock()
	if ok {
		return fields
	}
	fields = newFields(t, operation, false)
	p.mu.Lock()
	p.byOperation[operation] = fields
	p.mu.Unlock()
	return fields
}

// newFields returns the fields of t. item means that t is within an item of a list.
func newFields(t reflect.Type, operation string, item bool) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			fields = append(fields, newField(i, name, f, operation, item))
		}
	}
	return fields
}

func newField(index int, name string, f reflect.StructField, operation string, item bool) field {
	made := field{index: index, name: name, documented: true, null: f.Type == nullDecimalType}
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
	switch {
	case f.Type == decimalType:
		made.kind = money
	case f.Type == nullDecimalType:
		made.kind = nullableMoney
	case f.Type == timeType:
	case f.Type.Kind() == reflect.Struct:
		made.kind, made.fields = object, newFields(f.Type, operation, item)
	case f.Type.Kind() == reflect.Slice:
		made.kind = list
		if f.Type.Elem().Kind() == reflect.Struct {
			made.fields = newFields(f.Type.Elem(), operation, true)
		}
	case f.Type.Kind() == reflect.String:
		if made.identifies() || made.documented && !made.null && !item {
			made.kind = words
		}
	case f.Type.Kind() == reflect.Int && made.amount():
		made.kind = count
	}
	return made
}

// matches reports whether a member called name is the field. got is the field's result so
// far: an alias counts only if the first name was not read.
func (f *field) matches(name string, got result) bool {
	return strings.EqualFold(name, f.name) || f.alias != "" && name == f.alias && got != read
}

var (
	decimalType     = reflect.TypeFor[decimal.Decimal]()
	nullDecimalType = reflect.TypeFor[decimal.NullDecimal]()
	timeType        = reflect.TypeFor[time.Time]()
)
