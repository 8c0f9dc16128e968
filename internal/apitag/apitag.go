// Package apitag parses the struct tag api, which describes how a field is
// documented in the API:
//
//	inferred         the name is not documented
//	documented=A B   the name is documented only for the operations A and B
//	only=A           only the response of operation A has the field
//	optional         the field may be absent
//	null             the value may be null
//	date             the value may be a date without a time of day
//	rest             the map contains all fields that have no other Go field
//	list             the field is the only array of its object, with any name
//	path=A B         the value is a parameter of the operations A and B
//	alias=B          B is another name of the field
//
// If a field is inferred, all fields within it are inferred too.
package apitag

import (
	"reflect"
	"slices"
	"strings"
)

// A Rule is one rule of the list above.
type Rule struct {
	Name  string
	Value string
	// Named reports whether the value lists the operation.
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
