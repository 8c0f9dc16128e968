// Package shape compares JSON with the structs that it is decoded into and reports
// the differences.
package shape

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/internal/apitag"
)

// A Field is a field that a type expects in JSON.
type Field struct {
	// Path is the path of the field, such as users[].created_at.
	Path string
	// Type is string, time, integer, number, boolean, object or array.
	Type string
	// Inferred means that the name is not documented.
	Inferred bool
	// Null means that the value may be null.
	Null bool
}

// node is the JSON form of a Go type.
type node struct {
	kind    string
	null    bool
	element reflect.Type // of an array or a map
	members []member     // of a struct
}

type member struct {
	name     string
	kind     reflect.Type
	inferred bool
	null     bool
	optional bool
	date     bool
	rest     bool
	list     bool
}

var (
	decimalType     = reflect.TypeFor[decimal.Decimal]()
	nullDecimalType = reflect.TypeFor[decimal.NullDecimal]()
	timeType        = reflect.TypeFor[time.Time]()
	rawType         = reflect.TypeFor[json.RawMessage]()
)

// nodeOf returns the JSON form of a type in the response of an operation.
func nodeOf(t reflect.Type, operation string) node {
	switch t {
	case decimalType:
		return node{kind: "number"}
	case nullDecimalType:
		return node{kind: "number", null: true}
	case timeType:
		return node{kind: "time"}
	case rawType:
		return node{kind: "any", null: true}
	}
	switch t.Kind() {
	case reflect.Pointer:
		n := nodeOf(t.Elem(), operation)
		n.null = true
		return n
	case reflect.String:
		return node{kind: "string"}
	case reflect.Bool:
		return node{kind: "boolean"}
	case reflect.Int, reflect.Int64:
		return node{kind: "integer"}
	case reflect.Slice:
		return node{kind: "array", element: t.Elem()}
	case reflect.Map:
		return node{kind: "object", element: t.Elem()}
	case reflect.Struct:
		return node{kind: "object", members: membersOf(t, operation)}
	}
	panic("shape: unsupported type " + t.String())
}

func membersOf(t reflect.Type, operation string) []member {
	var members []member
	for f := range t.Fields() {
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		m := member{name: name, kind: f.Type}
		present := true
		for _, rule := range apitag.Of(f, operation) {
			switch rule.Name {
			case "inferred":
				m.inferred = true
			case "documented":
				m.inferred = !rule.Named
			case "only":
				present = rule.Named
			case "optional":
				m.optional = true
			case "null":
				m.null = true
			case "date":
				m.date = true
			case "rest":
				m.rest = true
			case "list":
				m.list = true
			}
		}
		if present {
			members = append(members, m)
		}
	}
	return members
}

// Fields lists all fields of an operation's response, in the order of the type.
func Fields(t reflect.Type, operation string) []Field {
	return appendFields(nil, "", t, operation, false)
}

func appendFields(fields []Field, path string, t reflect.Type, operation string, inferred bool) []Field {
	n := nodeOf(t, operation)
	if n.element != nil {
		path += "[]"
		if n.kind == "object" {
			path = strings.TrimSuffix(path, "[]") + ".*"
		}
		element := nodeOf(n.element, operation)
		if element.members == nil {
			return append(fields, Field{Path: path, Type: element.kind, Inferred: inferred, Null: element.null})
		}
		return appendFields(fields, path, n.element, operation, inferred)
	}
	for _, m := range n.members {
		inferred := inferred || m.inferred
		inner := nodeOf(m.kind, operation)
		at := join(path, m.name)
		if m.rest {
			fields = append(fields, Field{Path: join(path, "*"), Type: nodeOf(inner.element, operation).kind, Inferred: inferred})
			continue
		}
		fields = append(fields, Field{Path: at, Type: inner.kind, Inferred: inferred, Null: m.null || inner.null})
		fields = appendFields(fields, at, m.kind, operation, inferred)
	}
	return fields
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
