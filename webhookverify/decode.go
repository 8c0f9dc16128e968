package webhookverify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Decode decodes the event's data into v, as [json.Unmarshal] does, and refuses
// what would leave v empty: data that is missing or null, and, if v is a struct,
// an object in which none of the struct's fields stands with a value. Errors are
// [ErrMalformedEvent]; then v may be filled in part.
func (e *Event) Decode(v any) error {
	if e.Data == nil {
		return fmt.Errorf("%w: %s has no data", ErrMalformedEvent, e.Name)
	}
	err := errors.New("it is null")
	if !isNull(e.Data) {
		err = json.Unmarshal(e.Data, v)
	}
	if err == nil {
		err = checkFields(e.Data, reflect.TypeOf(v))
	}
	if err != nil {
		return fmt.Errorf("%w: data of %s: %w", ErrMalformedEvent, e.Name, err)
	}
	return nil
}

func isNull(data []byte) bool { return string(bytes.TrimSpace(data)) == "null" }

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// checkFields reports an error if t is a struct and data an object with none of
// its fields. Types that decode themselves know better.
func checkFields(data []byte, t reflect.Type) error {
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		if t.Implements(unmarshaler) {
			return nil
		}
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	names := fieldNames(t)
	var present map[string]json.RawMessage
	if len(names) == 0 || json.Unmarshal(data, &present) != nil {
		return nil
	}
	for name, value := range present {
		for _, expected := range names {
			if strings.EqualFold(name, expected) && !isNull(value) {
				return nil
			}
		}
	}
	return fmt.Errorf("it has none of the fields of %s", t)
}

// fieldNames are the names under which encoding/json fills a struct.
func fieldNames(t reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		tag, tagged := field.Tag.Lookup("json")
		name, _, _ := strings.Cut(tag, ",")
		embedded := field.Anonymous && name == "" && indirect(field.Type).Kind() == reflect.Struct
		switch {
		case tagged && tag == "-", embedded, !field.IsExported():
		case name == "":
			names = append(names, field.Name)
		default:
			names = append(names, name)
		}
	}
	return names
}

func indirect(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}
