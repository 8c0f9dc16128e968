package whozex

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go/internal/lenient"
)

// ChartPoint is one date of a chart with its values, by the API's names.
type ChartPoint struct {
	Date   time.Time                  `json:"date,omitzero" api:"inferred,date"`
	Values map[string]decimal.Decimal `json:"values" api:"inferred,rest"`
}

// MarshalJSON implements [json.Marshaler] in the form of the API: one object with the date
// and the values.
func (p ChartPoint) MarshalJSON() ([]byte, error) {
	fields := make(map[string]any, len(p.Values)+1)
	for name, value := range p.Values {
		fields[name] = value
	}
	if !p.Date.IsZero() {
		fields["date"] = p.Date
	}
	return json.Marshal(fields)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (p *ChartPoint) UnmarshalJSON(data []byte) error {
	var item map[string]json.RawMessage
	if err := json.Unmarshal(data, &item); err != nil {
		return err
	}
	*p = pointOf(item)
	return nil
}

// namedValues are the fields of an object whose names are not documented. Data that is not
// an object has the empty name, since it may be the chart itself.
type namedValues struct {
	fields map[string]json.RawMessage
}

func valuesByName(data []byte) namedValues {
	var r namedValues
	if json.Unmarshal(data, &r.fields) != nil {
		r.fields = map[string]json.RawMessage{"": data}
	}
	return r
}

// breakdown collects numbers from the fields whose name contains one of words: the field's
// own value, or the values of its object.
func (r namedValues) breakdown(words ...string) map[string]decimal.Decimal {
	found := map[string]decimal.Decimal{}
	for name, value := range r.fields {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(name), w) }) {
			continue
		}
		if figure := decimalOf(value); figure.Valid {
			found[name] = figure.Decimal
			continue
		}
		var inner map[string]json.RawMessage
		_ = json.Unmarshal(value, &inner)
		for key, value := range inner {
			if figure := decimalOf(value); figure.Valid {
				found[key] = figure.Decimal
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// chart returns the points of the first array, by name, whose items have a date.
func (r namedValues) chart() []ChartPoint {
	names := make([]string, 0, len(r.fields))
	for name := range r.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var items []map[string]json.RawMessage
		if json.Unmarshal(r.fields[name], &items) != nil {
			continue
		}
		if points := chartOf(items); points != nil {
			return points
		}
	}
	return nil
}

func chartOf(items []map[string]json.RawMessage) []ChartPoint {
	var points []ChartPoint
	for _, item := range items {
		point := pointOf(item)
		if point.Date.IsZero() {
			return nil
		}
		points = append(points, point)
	}
	return points
}

func pointOf(item map[string]json.RawMessage) ChartPoint {
	point := ChartPoint{Values: map[string]decimal.Decimal{}}
	for name, value := range item {
		if figure := decimalOf(value); figure.Valid {
			point.Values[name] = figure.Decimal
		} else if at, ok := dateOf(textOf(value)); ok {
			point.Date = at
		}
	}
	return point
}

// decimalOf returns a number, which may be in a string; null for anything else.
func decimalOf(raw json.RawMessage) decimal.NullDecimal {
	text := strings.Trim(string(raw), `"`)
	if text == "" || len(text) > lenient.MaxDigits {
		return decimal.NullDecimal{}
	}
	d, err := decimal.NewFromString(text)
	return decimal.NullDecimal{Decimal: d, Valid: err == nil}
}

// textOf returns a string, or a number as a string; empty for anything else.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	_ = json.Unmarshal(raw, &number)
	return number.String()
}

func dateOf(text string) (time.Time, bool) { return lenient.Time(text) }
