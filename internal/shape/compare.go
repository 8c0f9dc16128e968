package shape

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A Kind is a kind of difference.
type Kind string

// The kinds of differences.
const (
	Unknown Kind = "unknown field"
	Missing Kind = "missing field"
	Type    Kind = "other type"
	Null    Kind = "unexpected null"
	Time    Kind = "unreadable time"
)

// A Difference is a difference between JSON and the type that it is decoded into. It
// has names and types, but no values.
type Difference struct {
	// Path is the path of the field, such as users[].created_at.
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
	// Want and Got are types, or empty if the field is unknown or missing.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	// Inferred means that the name is not documented.
	Inferred bool `json:"inferred"`
}

// Compare returns the differences between data, a response of operation, and t. It
// reports the same difference in several items of an array once.
func Compare(data []byte, t reflect.Type, operation string) ([]Difference, error) {
	value, err := parse(data)
	if err != nil {
		return nil, err
	}
	c := comparison{operation: operation, found: map[Difference]bool{}}
	c.value("", value, t, rules{})
	differences := make([]Difference, 0, len(c.found))
	for d := range c.found {
		differences = append(differences, d)
	}
	slices.SortFunc(differences, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Got, b.Got))
	})
	return differences, nil
}

func parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("shape: %w", err)
	}
	return value, nil
}

type comparison struct {
	operation string
	found     map[Difference]bool
}

// rules are the rules of a field besides its type.
type rules struct{ null, date, inferred bool }

func (c *comparison) add(path string, kind Kind, want, got string, inferred bool) {
	c.found[Difference{Path: path, Kind: kind, Want: want, Got: got, Inferred: inferred}] = true
}

func (c *comparison) value(path string, value any, t reflect.Type, r rules) {
	n := nodeOf(t, c.operation)
	got := typeOf(value)
	switch {
	case n.kind == "any":
	case got == "null":
		if !r.null && !n.null {
			c.add(path, Null, n.kind, got, r.inferred)
		}
	case !compatible(n.kind, got):
		c.add(path, Type, n.kind, got, r.inferred)
	case n.kind == "time":
		if !isTime(value.(string), r.date) {
			c.add(path, Time, n.kind, got, r.inferred)
		}
	case n.kind == "array":
		for _, item := range value.([]any) {
			c.value(path+"[]", item, n.element, rules{inferred: r.inferred})
		}
	case n.element != nil:
		for name, item := range value.(map[string]any) {
			c.value(join(path, keyOf(name)), item, n.element, rules{inferred: r.inferred})
		}
	case n.kind == "object":
		c.object(path, value.(map[string]any), n.members, r.inferred)
	}
}

func (c *comparison) object(path string, object map[string]any, members []member, inferred bool) {
	known := map[string]bool{}
	var rest *member
	for i, m := range members {
		inferred := inferred || m.inferred
		name := m.name
		if m.list {
			name = listIn(object, members, m.name)
		}
		known[name] = true
		value, there := object[name]
		switch {
		case m.rest:
			rest = &members[i]
			known[name] = name != m.name
		case there:
			c.value(join(path, name), value, m.kind, rules{null: m.null, date: m.date, inferred: inferred})
		case !m.optional:
			c.add(join(path, name), Missing, nodeOf(m.kind, c.operation).kind, "", inferred)
		}
	}
	// If all names of an object are inferred, a new name does not contradict the
	// documentation.
	if !slices.ContainsFunc(members, func(m member) bool { return !m.inferred }) {
		inferred = true
	}
	for name, value := range object {
		switch {
		case known[name]:
		case rest != nil:
			c.value(join(path, keyOf(name)), value, rest.kind.Elem(), rules{inferred: inferred || rest.inferred})
		default:
			c.add(join(path, keyOf(name)), Unknown, "", typeOf(value), inferred)
		}
	}
}

// listIn returns the name of the only array in object that is no other member. If
// there is no array, it returns the name of the only other field. Else it returns
// fallback.
func listIn(object map[string]any, members []member, fallback string) string {
	var arrays, others []string
	for name, value := range object {
		if slices.ContainsFunc(members, func(m member) bool { return !m.list && m.name == name }) {
			continue
		}
		if _, isArray := value.([]any); isArray {
			arrays = append(arrays, name)
		} else {
			others = append(others, name)
		}
	}
	switch {
	case len(arrays) == 1:
		return arrays[0]
	case len(arrays) == 0 && len(others) == 1:
		return others[0]
	}
	return fallback
}

func isTime(text string, allowDate bool) bool {
	_, err := time.Parse(time.RFC3339, text)
	if err != nil && allowDate {
		_, err = time.Parse(time.DateOnly, text)
	}
	return err == nil
}

func typeOf(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "number"
		}
		return "integer"
	}
	return "object"
}

func compatible(want, got string) bool {
	return want == got || want == "number" && got == "integer" || want == "time" && got == "string"
}
