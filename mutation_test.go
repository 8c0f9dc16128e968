package whozex_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/internal/shape"
)

// changes are what may come in the place of any value.
var changes = map[string]func(value any) any{
	"null":       func(any) any { return nil },
	"missing":    func(any) any { return missing{} },
	"text":       func(any) any { return "some text" },
	"empty text": func(any) any { return "" },
	"as text":    func(value any) any { return fmt.Sprint(value) },
	"number":     func(any) any { return json.Number("423774377") },
	"fraction":   func(any) any { return json.Number("12.5") },
	"long":       func(any) any { return json.Number(strings.Repeat("7", 100)) },
	"huge":       func(any) any { return json.Number("1e999999999") },
	"boolean":    func(any) any { return true },
	"array":      func(any) any { return []any{} },
	"in array":   func(value any) any { return []any{value} },
	"object":     func(any) any { return map[string]any{} },
	"deeper":     func(value any) any { return map[string]any{"value": value} },
}

type missing struct{}

// place is where a value stands: keys of objects and indexes of arrays.
type place []any

func (p place) String() string {
	var b strings.Builder
	for _, step := range p {
		if i, ok := step.(int); ok {
			b.WriteString("[" + strconv.Itoa(i) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step.(string))
	}
	return b.String()
}

// places lists where data has values, the data itself first.
func places(data any, at place) []place {
	all := []place{at}
	switch v := data.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			all = append(all, places(v[key], append(slices.Clone(at), key))...)
		}
	case []any:
		for i := range v {
			all = append(all, places(v[i], append(slices.Clone(at), i))...)
		}
	}
	return all
}

// changed is data with another value at a place; data itself is left alone.
func changed(data any, at place, change func(any) any) any {
	if len(at) == 0 {
		return change(data)
	}
	switch v := data.(type) {
	case map[string]any:
		v = maps.Clone(v)
		key := at[0].(string)
		v[key] = changed(v[key], at[1:], change)
		if v[key] == (missing{}) {
			delete(v, key)
		}
		return v
	case []any:
		v = slices.Clone(v)
		i := at[0].(int)
		v[i] = changed(v[i], at[1:], change)
		if v[i] == (missing{}) {
			return slices.Delete(v, i, i+1)
		}
		return v
	}
	panic("there is nothing at this place")
}

// TestEveryValueMayBeAnother puts each of the changes in the place of each value of
// each documented payload, within the data and around it.
func TestEveryValueMayBeAnother(t *testing.T) {
	counts := map[string]int{}
	for _, op := range operations {
		var envelope any
		decoder := json.NewDecoder(strings.NewReader(ok(op.data)))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&envelope))
		var body string
		client := over(t, func(req *http.Request) (*http.Response, error) { return reply(req, 200, body), nil }, whozex.WithMaxRetries(0))
		for _, at := range places(envelope, nil) {
			for name, change := range changes {
				encoded, err := json.Marshal(changed(envelope, at, change))
				if err != nil {
					continue // the whole of it is missing
				}
				body = string(encoded)
				result, err := op.call(context.Background(), client)
				class := judge(t, op, at, body, result, err)
				counts[class]++
				if t.Failed() {
					t.Fatalf("%s: %s at %s: %s", op.op, name, at, body)
				}
			}
		}
	}
	t.Logf("%v", counts)
	assert.Greater(t, counts["ok"], 1000)
	assert.Greater(t, counts["error"], 100)
	assert.Greater(t, counts["unknown"], 50)
}

func judge(t *testing.T, op operation, at place, body string, result any, err error) string {
	if err != nil {
		unknown, isUnknown := errors.AsType[*whozex.OutcomeUnknownError](err)
		response, isResponse := errors.AsType[*whozex.ResponseError](err)
		refused, isRefused := errors.AsType[*whozex.Error](err)
		switch {
		case isUnknown:
			assert.Equal(t, body, string(unknown.Body))
			inData := len(at) > 1 && at[0] == "data"
			assert.False(t, inData && !identifies(at), "success and the id are readable: %v", err)
			return "unknown"
		case isResponse:
			assert.Equal(t, body, string(response.Body))
		case isRefused:
			assert.Equal(t, body, string(refused.Body))
		default:
			assert.Fail(t, "another error", "%v", err)
		}
		assert.False(t, op.spends && at.String() != "success", "a definite error of what may have been done: %v", err)
		return "error"
	}
	origin := result.(interface {
		RawJSON() json.RawMessage
		Unread() []string
	})
	var envelope struct{ Data json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(body), &envelope))
	assert.Equal(t, string(envelope.Data), string(origin.RawJSON()))
	sound(t, op, "", reflect.ValueOf(result).Elem(), origin.Unread())
	return "ok"
}

// identifies reports whether a place is that of an id, or of the key that is the
// whole result.
func identifies(at place) bool {
	last := at[len(at)-1]
	return last == "id" || last == "user_id" || last == "credential" || last == "value"
}

// sound looks for amounts and ids that were not read and that nobody is told of.
func sound(t *testing.T, op operation, path string, v reflect.Value, unread []string) {
	documented := map[string]bool{}
	for _, f := range shape.Fields(v.Type(), string(op.op)) {
		documented[f.Path] = !f.Inferred && !f.Null
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		switch value := v.Field(i); {
		case !f.IsExported():
		case value.Type() == reflect.TypeFor[decimal.Decimal]():
			silent := value.Interface().(decimal.Decimal) == decimal.Decimal{} && documented[name]
			assert.False(t, silent && (!op.spends || !slices.Contains(unread, at)), "%s is silently zero; unread: %v", at, unread)
		case (name == "id" || name == "user_id") && op.op != whozex.OpListTransactions:
			assert.NotEmpty(t, value.String(), "the id is silently empty")
		case value.Kind() == reflect.Struct && value.NumField() > 0 && value.Type().PkgPath() == v.Type().PkgPath():
			if !slices.Contains(unread, at) {
				sound(t, op, at, value, unread)
			}
		case value.Kind() == reflect.Slice && value.Type().Elem().Kind() == reflect.Struct && value.Type().Elem() != reflect.TypeFor[whozex.ChartPoint]():
			for i := range value.Len() {
				sound(t, op, fmt.Sprintf("%s[%d]", at, i), value.Index(i), unread)
			}
		}
	}
}
