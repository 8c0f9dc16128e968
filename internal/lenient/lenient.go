// Package lenient decodes JSON that differs from its type, field by field, and reports
// the differences. It converts a value only if nothing is lost, and never guesses an
// amount: "1,220.00" has two meanings.
package lenient

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// Report lists the differences by path, such as plans[2].gb, at most MaxPaths of a kind.
type Report struct {
	// Unread are present but cannot be decoded.
	Unread []string
	// Missing are absent and not optional, documented or not.
	Missing []string
	// Converted were decoded from another type or form.
	Converted []string
	// Amounts are those of Unread and Missing that are documented amounts of USD or GB.
	Amounts []string
	// IDs are those of Unread and Missing without which the result is useless.
	IDs []string
	// Filled counts the fields that were decoded.
	Filled int
}

// Add adds the report of the value at path.
func (r *Report) Add(path string, other Report) {
	for _, both := range []struct{ to, from *[]string }{
		{&r.Unread, &other.Unread}, {&r.Missing, &other.Missing}, {&r.Converted, &other.Converted},
		{&r.Amounts, &other.Amounts}, {&r.IDs, &other.IDs},
	} {
		for _, at := range *both.from {
			add(both.to, join(path, at))
		}
	}
	r.Filled += other.Filled
}

// MaxPaths bounds each list of a [Report]: without it the paths for a megabyte of
// {},{},… take fifty megabytes.
const MaxPaths = 1000

func add(to *[]string, path string) {
	if len(*to) < MaxPaths {
		*to = append(*to, path)
	}
}

// Source is the origin of an object.
type Source struct {
	Operation string
	// PathValue is the id in the path of the request, for fields that repeat it.
	PathValue string
	// Wrappers are names of an object that may contain the expected one, as in
	// {"user": {…}}.
	Wrappers []string
}

var errNoObject = errors.New("it is not an object")

// Decode decodes data, an object, into the struct that into points to.
func Decode(data []byte, into any, from Source) (Report, error) {
	r := reading{Source: from}
	objects := [][]byte{data}
	ok := Each(data, func(name string, value json.RawMessage) {
		// Fields beside the wrapper are decoded too, if the wrapper lacks them.
		if slices.Contains(from.Wrappers, name) && bytes.HasPrefix(value, []byte("{")) {
			objects = [][]byte{data, value}
		}
	})
	if !ok {
		return r.Report, errNoObject
	}
	r.object("", reflect.ValueOf(into).Elem(), objects...)
	return r.Report, nil
}

// Each calls f with the members of an object in order, so that the last of two equal
// names wins. The values are slices of data. It reports whether data is an object.
func Each(data []byte, f func(name string, value json.RawMessage)) bool {
	return each(data, '{', f)
}

// Array returns the items of an array, as slices of data.
func Array(data []byte) (items []json.RawMessage, ok bool) {
	items = []json.RawMessage{}
	ok = each(data, '[', func(_ string, item json.RawMessage) { items = append(items, item) })
	return items, ok
}

// each calls f with the values of an object or array; open is its first token.
func each(data []byte, open json.Delim, f func(name string, value json.RawMessage)) bool {
	dec := json.NewDecoder(bytes.NewReader(data))
	if first, err := dec.Token(); err != nil || first != open {
		return false
	}
	var name json.Token = ""
	var value json.RawMessage
	for dec.More() {
		if open == '{' {
			name, _ = dec.Token() // Decode returns the same error
		}
		if dec.Decode(&value) != nil {
			return false
		}
		end := int(dec.InputOffset())
		f(name.(string), data[end-len(value):end:end])
	}
	_, err := dec.Token()
	_, end := dec.Token()
	return err == nil && end == io.EOF
}

// IsEmpty reports whether data is an object without members.
func IsEmpty(data []byte) bool {
	members := 0
	return Each(data, func(string, json.RawMessage) { members++ }) && members == 0
}

// result is the result of decoding one value.
type result int

const (
	absent result = iota
	null
	read
	converted
	unread
)

type reading struct {
	Report
	Source
}

// object decodes the members of one object, or of several as if they were one.
func (r *reading) object(path string, v reflect.Value, objects ...[]byte) {
	fields := fieldsFor(v.Type(), r.Operation)
	got := make([]result, len(fields))
	for _, data := range objects {
		Each(data, func(name string, value json.RawMessage) {
			for i, f := range fields {
				if f.matches(name, got[i]) {
					r.member(join(path, f.name), value, v.Field(f.index), f, &got[i])
				}
			}
		})
	}
	for i, f := range fields {
		r.note(join(path, f.name), got[i], f, v.Field(f.index))
	}
}

func (r *reading) member(at string, value json.RawMessage, v reflect.Value, f field, got *result) {
	now := unread
	switch {
	case string(value) == `""` && f.null && v.Kind() != reflect.String:
		v.SetZero()
		now = converted
	case !f.identifies() || !isBlank(value):
		now = r.value(at, value, v)
	}
	if now != null || *got == absent {
		*got = now
	}
}

// isBlank reports whether data is a string of whitespace only.
func isBlank(data json.RawMessage) bool {
	text, quoted, _ := scalar(data)
	return quoted && strings.TrimSpace(text) == ""
}

func (r *reading) note(at string, got result, f field, v reflect.Value) {
	named := f.path && r.PathValue != ""
	switch {
	case got == read:
		r.Filled++
		return
	case got == converted:
		r.Filled++
		add(&r.Converted, at)
		return
	case got == unread, got == null && !f.null:
		add(&r.Unread, at)
	case got == absent && !f.optional && !named:
		add(&r.Missing, at)
	}
	switch {
	case named:
		v.SetString(r.PathValue)
	case f.identifies():
		add(&r.IDs, at)
	case f.holdsAmounts():
		add(&r.Amounts, at)
	}
}

// value decodes data into v. It does not change v if there is no data.
func (r *reading) value(path string, data json.RawMessage, v reflect.Value) result {
	if string(data) == "null" {
		return null
	}
	switch v.Type() {
	case decimalType:
		return number(data, v.Addr().Interface().(*decimal.Decimal))
	case nullDecimalType:
		made := v.Addr().Interface().(*decimal.NullDecimal)
		got := number(data, &made.Decimal)
		made.Valid = got == read || got == converted
		return got
	case timeType:
		return moment(data, v)
	}
	switch v.Kind() {
	case reflect.String:
		return text(data, v)
	case reflect.Int:
		return integer(data, v)
	case reflect.Bool:
		return boolean(data, v)
	case reflect.Slice:
		return r.list(path, data, v)
	case reflect.Struct:
		return r.nested(path, data, v)
	}
	return unread
}

func (r *reading) nested(path string, data json.RawMessage, v reflect.Value) result {
	got := read
	if !bytes.HasPrefix(data, []byte("{")) {
		// Some servers encode an empty object as an empty array.
		if items, isArray := Array(data); !isArray || len(items) > 0 {
			return unread
		}
		got = converted
	}
	r.object(path, v, data)
	return got
}

func (r *reading) list(path string, data json.RawMessage, v reflect.Value) result {
	items, ok := Array(data)
	if !ok {
		if !IsEmpty(data) {
			return unread
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return converted
	}
	of := field{documented: true}
	if elem := v.Type().Elem(); elem.Kind() == reflect.Struct {
		of.fields = fieldsFor(elem, r.Operation)
	}
	made := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		at := path + "[" + strconv.Itoa(i) + "]"
		r.note(at, r.value(at, item, made.Index(i)), of, made.Index(i))
	}
	v.Set(made)
	return read
}

// scalar returns the text of a string, or a literal verbatim.
func scalar(data json.RawMessage) (value string, quoted, ok bool) {
	if len(data) == 0 || data[0] == '{' || data[0] == '[' {
		return "", false, false
	}
	if data[0] == '"' {
		return value, true, json.Unmarshal(data, &value) == nil
	}
	return string(data), false, true
}

func isNumber(literal string) bool {
	return literal != "" && (literal[0] == '-' || literal[0] >= '0' && literal[0] <= '9')
}

func text(data json.RawMessage, v reflect.Value) result {
	value, quoted, ok := scalar(data)
	switch {
	case ok && quoted:
		// encoding/json would replace invalid UTF-8.
		if !utf8.Valid(data) || json.Unmarshal(data, v.Addr().Interface()) != nil {
			return unread
		}
		return read
	case ok && isNumber(value):
		v.SetString(value)
		return converted
	}
	return unread
}

func boolean(data json.RawMessage, v reflect.Value) result {
	value, quoted, _ := scalar(data)
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true", "1", "1.0":
		v.SetBool(true)
	case "false", "0", "0.0":
		v.SetBool(false)
	default:
		return unread
	}
	if quoted || isNumber(value) {
		return converted
	}
	return read
}

// MaxDigits bounds the length of a number: parsing a megabyte of digits as a decimal takes
// minutes.
const MaxDigits = 64

// number decodes a JSON number, or a string that contains one.
func number(data json.RawMessage, d *decimal.Decimal) result {
	value, quoted, ok := scalar(data)
	trimmed := strings.TrimSpace(value)
	if !ok || len(trimmed) > MaxDigits || !quoted && !isNumber(value) {
		return unread
	}
	made, err := decimal.NewFromString(trimmed)
	if err != nil || !bounded(made, true) {
		return unread
	}
	*d = made
	if trimmed != value {
		return converted
	}
	return read
}

func integer(data json.RawMessage, v reflect.Value) result {
	if json.Unmarshal(data, v.Addr().Interface()) == nil {
		return read
	}
	var d decimal.Decimal
	if got := number(data, &d); got == unread || !d.IsInteger() || !d.BigInt().IsInt64() || v.OverflowInt(d.IntPart()) {
		return unread
	}
	v.SetInt(d.IntPart())
	return converted
}

func moment(data json.RawMessage, v reflect.Value) result {
	if json.Unmarshal(data, v.Addr().Interface()) == nil {
		return read
	}
	value, _, ok := scalar(data)
	at, known := Time(value)
	if !ok || !known {
		return unread
	}
	v.Set(reflect.ValueOf(at))
	return converted
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
