// Package apitag reads the struct tag api, which says what the API's documentation
// says of a field, where that is not simply that it is there:
//
//	inferred         its name is not documented
//	documented=A B   its name is documented for the operations A and B only
//	only=A           no other operation's response carries it
//	optional         it may be absent
//	null             it may be null
//	date             it may be a date without a time of day
//	rest             it collects the fields that have no other name
//	list             it holds the one array of its object, whatever its name
//	path=A B         the caller of the operations A and B named the value
//	alias=B          B is another name of the field
//
// What is inferred of a field is inferred of all within it.
package apitag

import (
	"reflect"
	"slices"
	"strings"
)

// A Rule is one of the list above.
type Rule struct {
	Name  string
	Value string
	// Named reports whether the operation is among those of the value.
	Named bool
}

var names = []string{"inferred", "documented", "only", "optional", "null", "date", "rest", "list", "path", "alias"}

// Of returns the rules of a field for an operation. It panics on an unknown rule.
func Of(f reflect.StructField, operation string) []Rule {
	tag := f.Tag.Get("api")
	if tag == "" {
		return nil
	}
	var rules []Rule
	for _, rule := range strings.Split(tag, ",") {
		name, value, _ := strings.Cut(rule, "=")
		if !slices.Contains(names, name) {
			panic("apitag: field " + f.Name + " has the unknown rule " + rule)
		}
		rules = append(rules, Rule{Name: name, Value: value, Named: slices.Contains(strings.Fields(value), operation)})
	}
	return rules
}
