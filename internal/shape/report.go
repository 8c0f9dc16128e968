package shape

import (
	"reflect"
	"slices"
	"strings"
)

// Describe returns data with each value replaced by its type, so that it can be
// shared. An array has each kind of item once. Unknown names that may be values, such
// as dates or ids, are replaced too.
func Describe(data []byte, t reflect.Type, operation string) (any, error) {
	value, err := parse(data)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, f := range Fields(t, operation) {
		for name := range strings.FieldsFuncSeq(f.Path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
			known[name] = true
		}
	}
	return describe(value, known), nil
}

func describe(value any, known map[string]bool) any {
	switch v := value.(type) {
	case []any:
		items := []any{}
		for _, item := range v {
			described := describe(item, known)
			if !slices.ContainsFunc(items, func(i any) bool { return reflect.DeepEqual(i, described) }) {
				items = append(items, described)
			}
		}
		return items
	case map[string]any:
		object := map[string]any{}
		for name, member := range v {
			if !known[name] {
				name = keyOf(name)
			}
			object[name] = describe(member, known)
		}
		return object
	}
	return typeOf(value)
}

// keyOf returns the name of a field, or a placeholder if the name may be a value,
// because it has digits, punctuation or whitespace as in dates, ids and addresses.
func keyOf(name string) string {
	isName := name != "" && len(name) <= 40 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if isName {
		return name
	}
	return "(a value)"
}
