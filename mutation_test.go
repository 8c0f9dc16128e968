package whozex_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

const onePackage = `"id":"PKG-A1B2C3","proxy_type":"residential","total_gb":20,"used_gb":1,"remaining_gb":19,"status":"active",
		"evomi_username":"wx3f8a2c01","evomi_password":"wxp1a2b3c4d5e6f7a8","cost":30.00,"price_per_gb":1.50,"user_balance_after":20.00,
		"created_at":"2025-01-01T12:00:00.000Z","expires_at":"2025-02-01T12:00:00.000Z"`

// documentedPayloads are the responses whose fields the API documents.
var documentedPayloads = map[whozex.Operation]string{
	whozex.OpGetAccount: `{"id":"r1","name":"Reseller Name","email":"you@example.com","balance":150.00,"is_vip":true,
		"api_key":{"last_used_at":"2025-01-01T10:00:00Z"},"stats":{"packages":24,"sub_users":8,"total_spent":340.00},
		"pricing":{"custom_price_per_gb":0.90}}`,
	whozex.OpListUsers: `{"users":[
		{"id":"u1","name":"John Doe","email":"john@example.com","balance":5.00,"package_count":1,"created_at":"2025-01-01T12:00:00.000Z"},
		{"id":"u2","name":"Jane Doe","email":"jane@example.com","balance":7.50,"package_count":2,"created_at":"2025-01-02T12:00:00.000Z"}],
		"pagination":{"total":47,"page":2,"limit":20,"pages":3,"has_next":true,"has_prev":true}}`,
	whozex.OpCreateUser:      `{"id":"u1","name":"John Doe","email":"john@example.com","balance":3.00,"package_count":4,"created_at":"2025-01-01T12:00:00.000Z"}`,
	whozex.OpAddBalance:      `{"user_id":"u1","action":"add","amount":50.00,"user_balance":50.00,"reseller_balance":100.00}`,
	whozex.OpDeductBalance:   `{"user_id":"u1","action":"deduct","amount":50.00,"user_balance":5.00,"reseller_balance":100.00}`,
	whozex.OpPurchasePackage: `{` + onePackage + `}`,
	whozex.OpGetPackage:      `{` + onePackage + `,"live":true}`,
	whozex.OpAddGB:           `{` + onePackage + `}`,
	whozex.OpGetCredentials: `{"username":"wx3f8a2c01","password":"wxp1a2b3",
		"http":{"host":"rp.evomi.com","port":1000,"connection_string":"rp.evomi.com:1000:wx3f8a2c01:wxp1a2b3_country-TR","curl_example":"curl -x"},
		"socks5":{"host":"rp.evomi.com","port":1002,"connection_string":"rp.evomi.com:1002:wx3f8a2c01:wxp1a2b3_country-TR"},
		"targeting":{"country":"TR","city":"Istanbul"}}`,
	whozex.OpGetPricing: `{"is_vip":true,"custom_price_per_gb":0.90,"plans":[
		{"gb":10,"label":"10 GB","standard_price":2.00,"vip_price":1.60,"your_price":0.90,"total_cost":9.00},
		{"gb":100,"label":"100 GB","standard_price":1.00,"vip_price":0.80,"your_price":0.95,"total_cost":90.00}]}`,
	whozex.OpCalculatePrice: `{"gb":50,"price_per_gb":0.90,"total":45.00,"is_vip":true,"custom_price":true}`,
	whozex.OpCreateWebhook:  `{"id":"WH-A1B2C3D4","url":"https://bot.example.com/webhook","events":["package.low_gb","balance.added"],"secret":"wxsec_a1b2c3","note":"Save the secret"}`,
}

// changes are the values that replace each value.
var changes = map[string]func(value any) any{
	"null":                        func(any) any { return nil },
	"missing":                     func(any) any { return missing{} },
	"renamed":                     func(value any) any { return named{as: func(name string) string { return "new_" + name }, value: value} },
	"in capitals":                 func(value any) any { return named{as: strings.ToUpper, value: value} },
	"text":                        func(any) any { return "some text" },
	"empty text":                  func(any) any { return "" },
	"white space":                 func(any) any { return "  " },
	"as text":                     func(value any) any { return fmt.Sprint(value) },
	"true as text":                func(any) any { return "true" },
	"an amount with two meanings": func(any) any { return "1,220.00" },
	"number":                      func(any) any { return json.Number("423774377") },
	"whole number":                func(any) any { return json.Number("12.0") },
	"fraction":                    func(any) any { return json.Number("12.5") },
	"epoch":                       func(any) any { return json.Number("1735732800") },
	"long":                        func(any) any { return json.Number(strings.Repeat("7", 100)) },
	"huge":                        func(any) any { return json.Number("1e999999999") },
	"boolean":                     func(any) any { return true },
	"array":                       func(any) any { return []any{} },
	"in array":                    func(value any) any { return []any{value} },
	"object":                      func(any) any { return map[string]any{} },
	"deeper":                      func(value any) any { return map[string]any{"value": value} },
}

type missing struct{}

// named is a value under another name.
type named struct {
	as    func(name string) string
	value any
}

// place is the position of a value: keys of objects and indexes of arrays.
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

// places lists the places of all values in data, first that of data itself.
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

// changed returns a copy of data with another value at a place.
func changed(data any, at place, change func(any) any) any {
	if len(at) == 0 {
		return change(data)
	}
	switch v := data.(type) {
	case map[string]any:
		v = maps.Clone(v)
		key := at[0].(string)
		v[key] = changed(v[key], at[1:], change)
		switch other := v[key].(type) {
		case missing:
			delete(v, key)
		case named:
			delete(v, key)
			v[other.as(key)] = other.value
		}
		return v
	case []any:
		v = slices.Clone(v)
		i := at[0].(int)
		v[i] = changed(v[i], at[1:], change)
		return v
	}
	panic("there is nothing at this place")
}

// TestDecode_MutatedPayloads replaces each value of each payload, in data and around it, by
// each of the changes.
func TestDecode_MutatedPayloads(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, op := range operations {
		payload, isDocumented := documentedPayloads[op.op]
		if !isDocumented {
			payload = op.data
		}
		var body string
		client := over(t, func(req *http.Request) (*http.Response, error) { return reply(req, 200, body), nil }, whozex.WithMaxRetries(0))
		body = ok(payload)
		base, err := op.call(t.Context(), client)
		require.NoError(t, err)
		wanted := map[string]reflect.Value{}
		if isDocumented {
			require.Empty(t, base.(result).Unread(), op.op)
			leaves(reflect.ValueOf(base), "", wanted)
		}
		for path, v := range wanted {
			if promised(op.op, path) && !mayBeZero.MatchString(path) {
				require.False(t, v.IsZero(), "%s: a %s of zero shows nothing", op.op, path)
			}
		}
		envelope := parse(t, body)
		for _, at := range places(envelope, nil) {
			for _, name := range slices.Sorted(maps.Keys(changes)) {
				if !applies(name, at) {
					continue
				}
				m := mutation{operation: op, at: at, wanted: wanted}
				if inData, ok := strings.CutPrefix(at.String(), "data."); ok {
					m.path = inData
				}
				m.envelope = changed(envelope, at, func(value any) any {
					m.value = changes[name](value)
					return m.value
				})
				encoded, err := json.Marshal(m.envelope)
				require.NoError(t, err)
				body = string(encoded)
				got, err := op.call(t.Context(), client)
				m.what = fmt.Sprintf("%s: %s becomes %s: %s", op.op, at, name, body)
				if err != nil {
					counts[m.checkError(t, body, err)]++
					continue
				}
				counts["read"]++
				var sent struct{ Data json.RawMessage }
				require.NoError(t, json.Unmarshal(encoded, &sent))
				if sent.Data == nil {
					sent.Data = encoded // the data
				}
				assert.Equal(t, string(sent.Data), string(got.(result).RawJSON()), m.what)
				unread := got.(result).Unread()
				if len(unread) > 0 {
					counts["read, with unread fields"]++
				}
				m.checkResult(t, got, unread)
			}
		}
	}
	t.Logf("%v", counts)
	assert.Greater(t, counts["read"], 2000)
	assert.Greater(t, counts["error"], 500)
	assert.Greater(t, counts["unknown"], 100)
}

// applies reports whether a change is possible at a place: the body cannot be missing, a
// list without one item is another valid list, and only members have names.
func applies(change string, at place) bool {
	if change != "missing" && change != "renamed" && change != "in capitals" {
		return true
	}
	if len(at) == 0 {
		return false
	}
	_, isMember := at[len(at)-1].(string)
	return isMember
}

func parse(t *testing.T, data string) (value any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&value))
	return value
}

// result has the methods of every result.
type result interface {
	RawJSON() json.RawMessage
	Unread() []string
}

// mutation is a response with one value changed.
type mutation struct {
	operation
	what     string
	at       place
	path     string // in the data; "" for the data itself and around it
	value    any    // the changed value
	envelope any
	wanted   map[string]reflect.Value // of the response without the change
}

// checkError checks that the error is justified and has the whole response.
func (m mutation) checkError(t *testing.T, body string, err error) string {
	t.Helper()
	unknown, isUnknown := errors.AsType[*whozex.OutcomeUnknownError](err)
	response, isResponse := errors.AsType[*whozex.ResponseError](err)
	refused, isRefused := errors.AsType[*whozex.Error](err)
	switch {
	case isUnknown:
		assert.Equal(t, body, string(unknown.Body), m.what)
	case isResponse:
		assert.Equal(t, body, string(response.Body), m.what)
	case isRefused:
		assert.Equal(t, body, string(refused.Body), m.what)
	default:
		assert.Fail(t, "another error", "%s: %v", m.what, err)
	}
	assert.False(t, m.mutating && !isUnknown && m.at.String() != "success", "a definite error of what may have been done: %s: %v", m.what, err)
	if m.path != "" {
		due := m.op == whozex.OpRegenerateKey || m.op == whozex.OpListUsers && within(m.path, "users") || m.op == whozex.OpListTransactions
		for path, v := range m.wanted {
			vital := ids.MatchString(path) && inPath[m.op] != path || !m.mutating && isAmount(v, path) && promised(m.op, path)
			due = due || vital && within(path, m.path)
		}
		assert.True(t, due, "%s: %v", m.what, err)
		if m.wanted[m.path].IsValid() {
			assert.ErrorContains(t, err, m.path, m.what)
		}
	}
	if isUnknown {
		return "unknown"
	}
	return "error"
}

// leaves returns the scalar values of a result by JSON path.
func leaves(v reflect.Value, path string, into map[string]reflect.Value) {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), fmt.Sprintf("%s[%d]", path, i), into)
		}
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[whozex.User]().PkgPath():
		for field, value := range v.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch field.Name {
			case "Items":
				name = "users"
				if field.Type == reflect.TypeFor[[]whozex.Transaction]() {
					name = "transactions"
				}
			case "Pagination":
				name = "pagination"
			}
			if field.IsExported() {
				leaves(value, strings.TrimPrefix(path+"."+name, "."), into)
			}
		}
	default:
		into[path] = v
	}
}

func same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return false
	}
	switch a := a.Interface().(type) {
	case decimal.Decimal:
		return a.Equal(b.Interface().(decimal.Decimal))
	case decimal.NullDecimal:
		b := b.Interface().(decimal.NullDecimal)
		return a.Valid == b.Valid && a.Decimal.Equal(b.Decimal)
	case time.Time:
		return a.Equal(b.Interface().(time.Time))
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// converted returns value, from JSON, as a value of the type of like, if that loses
// nothing.
func converted(value any, like reflect.Value, null bool) (reflect.Value, bool) {
	as := reflect.New(like.Type()).Elem()
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	if isNumber {
		text = number.String()
	}
	amount, err := decimal.NewFromString(text)
	isAmount := (isText || isNumber) && err == nil && len(text) <= 64 && amount.Exponent() <= 64
	switch as.Interface().(type) {
	case decimal.Decimal:
		as.Set(reflect.ValueOf(amount))
		return as, isAmount
	case decimal.NullDecimal:
		if value == nil || value == "" {
			return as, true
		}
		as.Set(reflect.ValueOf(decimal.NewNullDecimal(amount)))
		return as, isAmount
	case time.Time:
		if null && (value == nil || value == "") {
			return as, true
		}
		seconds, _ := strconv.ParseInt(text, 10, 64)
		as.Set(reflect.ValueOf(time.Unix(seconds, 0)))
		return as, seconds > 1e8 && seconds < 1e11
	}
	switch as.Kind() {
	case reflect.String:
		as.SetString(text)
		return as, isText || isNumber || null && value == nil
	case reflect.Int:
		if isAmount && amount.IsInteger() && amount.BigInt().IsInt64() {
			as.SetInt(amount.IntPart())
			return as, true
		}
	case reflect.Bool:
		as.SetBool(true)
		return as, value == true || text == "true"
	}
	return as, false
}

var (
	nullable = regexp.MustCompile(`^(api_key\.last_used_at|.*custom_price_per_gb|expires_at|targeting\.city)$`)
	optional = regexp.MustCompile(`curl_example|^pagination\.has_next`) // computed from other fields
	// mayBeZero are the fields that are zero in the payloads.
	mayBeZero = regexp.MustCompile(`curl_example|^live$`)
	ids       = regexp.MustCompile(`^id$|^user_id$|^users\[\d\]\.id$`)
	// inPath are the ids that the caller passes.
	inPath = map[whozex.Operation]string{
		whozex.OpGetPackage: "id", whozex.OpAddGB: "id", whozex.OpAddBalance: "user_id", whozex.OpDeductBalance: "user_id",
	}
	// inferredBut are the operations whose responses are not documented, except these
	// fields.
	inferredBut = map[whozex.Operation][]string{whozex.OpGetPackage: {"remaining_gb", "live"}, whozex.OpAddGB: {}}
)

func promised(op whozex.Operation, path string) bool {
	names, some := inferredBut[op]
	return !some || slices.Contains(names, path)
}

func isAmount(v reflect.Value, path string) bool {
	return v.Type() == reflect.TypeFor[decimal.Decimal]() || path == "gb" || strings.HasSuffix(path, ".gb")
}

func within(path, parent string) bool {
	return path == parent || parent == "" || strings.HasPrefix(path, parent+".") || strings.HasPrefix(path, parent+"[")
}

// checkResult checks that each field has the value sent, or is in Unread.
func (m mutation) checkResult(t *testing.T, result any, unread []string) {
	t.Helper()
	got := map[string]reflect.Value{}
	leaves(reflect.ValueOf(result), "", got)
	for path, want := range m.wanted {
		have := got[path]
		if ids.MatchString(path) && have.IsValid() {
			assert.NotEmpty(t, have.String(), "%s: an id without text", m.what)
		}
		isNamed := slices.ContainsFunc(unread, func(name string) bool { return within(path, name) })
		switch {
		case same(want, have):
			continue
		case isNamed:
			if !m.mutating && promised(m.op, path) {
				assert.False(t, isAmount(want, path), "%s: a read without %s", m.what, path)
			}
			continue
		case path == m.path:
			if is, ok := converted(m.value, want, nullable.MatchString(path)); ok && same(is, have) {
				continue
			}
		case inPath[m.op] == path && m.path == path:
			continue
		case within(path, m.path) && !have.IsValid() && slices.ContainsFunc(unread, func(name string) bool { return within(name, m.path) }):
			continue // an item of a list that is shorter now
		case isEmptyList(m.value) && within(path, m.path) && !have.IsValid():
			continue // an item of a list that is empty now
		}
		if optional.MatchString(path) || inPath[m.op] == path {
			continue
		}
		assert.Failf(t, "silently other", "%s: %s was %v and is %v, unread are %v", m.what, path, want, have, unread)
	}
}

func isEmptyList(value any) bool {
	switch v := value.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return value == nil
}
