package webhookverify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Decode decodes the event's data into v, as [json.Unmarshal] does. It returns
// [ErrMalformedEvent] if that fails or would leave v empty: the data is missing or
// null, or v is a struct and the data is an object with a value for none of its
// fields. After an error v may be partly filled.
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

// checkFields returns an error if t is a struct and data an object with none of its
// fields. For an [json.Unmarshaler] only the tagged fields count.
func checkFields(data []byte, t reflect.Type) error {
	tagged := false
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		tagged = tagged || t.Implements(unmarshaler)
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	names := fieldNames(t, tagged)
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

// fieldNames returns the names by which encoding/json fills a struct, or only those
// from tags.
func fieldNames(t reflect.Type, tagged bool) (names []string) {
	for _, field := range reflect.VisibleFields(t) {
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		embedded := field.Anonymous && name == "" && indirect(field.Type).Kind() == reflect.Struct
		switch {
		case tag == "-", embedded, !field.IsExported():
		case name != "":
			names = append(names, name)
		case !tagged:
			names = append(names, field.Name)
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
