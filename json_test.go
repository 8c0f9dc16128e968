package whozex_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// marshalled are the types that programs encode as JSON.
var marshalled = []any{
	whozex.Account{}, whozex.AccountStats{}, whozex.Page[whozex.Transaction]{}, whozex.RegeneratedKey{},
	whozex.Page[whozex.User]{}, whozex.User{}, whozex.BalanceChange{}, whozex.Package{}, whozex.Credentials{},
	whozex.Usage{}, whozex.Pricing{}, whozex.Quote{}, whozex.AnalyticsOverview{}, whozex.Webhook{}, whozex.PackageCreated{},
	whozex.Error{}, whozex.ResponseError{}, whozex.ParamError{}, whozex.Response{}, whozex.RateLimit{}, whozex.Outcome{},
	whozex.OutcomeUnknownError{}, webhookverify.Event{},
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkNames compares the JSON names of all exported fields with those of the API.
func checkNames(t *testing.T, of reflect.Type) {
	t.Helper()
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.PkgPath() == reflect.TypeFor[decimal.Decimal]().PkgPath() || of == reflect.TypeFor[time.Time]() {
		return
	}
	for field := range of.Fields() {
		if field.IsExported() && field.Tag.Get("json") != "-" {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			assert.Regexp(t, snakeCase, name, "%s.%s", of, field.Name)
			checkNames(t, field.Type)
		}
	}
}

// random fills v with non-zero values, so that JSON omits nothing.
func random(r *rand.Rand, v reflect.Value) {
	amount := func() decimal.Decimal { return decimal.New(1+r.Int64N(1_000_000), int32(r.IntN(6)-4)) }
	switch into := v.Addr().Interface().(type) {
	case *time.Time:
		*into = time.Unix(r.Int64N(2e9), r.Int64N(1e9)).UTC()
		return
	case *decimal.Decimal:
		*into = amount()
		return
	case *decimal.NullDecimal:
		*into = decimal.NullDecimal{Decimal: amount(), Valid: r.IntN(2) == 0}
		if !into.Valid {
			into.Decimal = decimal.Decimal{}
		}
		return
	case *json.RawMessage:
		*into = json.RawMessage(`{"a":1}`)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for field, in := range v.Fields() {
			if field.IsExported() && field.Tag.Get("json") != "-" {
				random(r, in)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 4))
		for i := range v.Len() {
			random(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		random(r, value)
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		random(r, v.Elem())
	case reflect.String:
		v.SetString(fmt.Sprintf("text <%d>", r.IntN(100)))
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64N(1e6))
	case reflect.Uint8:
		v.SetUint(r.Uint64N(256))
	case reflect.Float64:
		v.SetFloat(r.Float64())
	}
}

func TestJSON_RoundTrip(t *testing.T) {
	const rounds = 50
	r := rand.New(rand.NewPCG(1, 2))
	for _, kind := range marshalled {
		of := reflect.TypeOf(kind)
		t.Run(of.String(), func(t *testing.T) {
			checkNames(t, of)
			for range rounds {
				v := reflect.New(of)
				random(r, v.Elem())
				text, err := encode(v.Interface())
				require.NoError(t, err)
				back := reflect.New(of)
				require.NoError(t, json.Unmarshal(text, back.Interface()), string(text))
				again, err := encode(back.Interface())
				require.NoError(t, err)
				require.JSONEq(t, string(text), string(again))
				// Compare the fields as text: secrets print alike, and decimals by value.
				require.Equal(t, fmt.Sprintf("%+v", plain(v)), fmt.Sprintf("%+v", plain(back)))
			}
			empty, err := json.Marshal(reflect.New(of).Interface())
			require.NoError(t, err)
			if of != reflect.TypeFor[whozex.OutcomeUnknownError]() { // SentAt is always set
				assert.NotContains(t, string(empty), "0001-01-01")
			}
		})
	}
	t.Logf("%d values of %d types", rounds*len(marshalled), len(marshalled))
}

// encode encodes v with Reveal if it has that, as a program that stores it does.
func encode(v any) ([]byte, error) {
	if v, ok := v.(interface {
		Reveal() (json.RawMessage, error)
	}); ok {
		return v.Reveal()
	}
	return json.Marshal(v)
}

// plain lists the fields of a struct, since an error would print only its text.
func plain(v reflect.Value) (all []any) {
	for field, in := range v.Elem().Fields() {
		if field.IsExported() {
			if in.Kind() == reflect.Pointer && !in.IsNil() {
				in = in.Elem()
			}
			all = append(all, field.Name, in.Interface())
		}
	}
	return all
}

func TestJSON_AbsentFields(t *testing.T) {
	text, err := json.Marshal(whozex.Package{ID: "PKG-1", RemainingGB: dec("1.50"), Live: true})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"PKG-1","proxy_type":"","remaining_gb":"1.5","status":"","evomi_username":"","live":true}`, string(text))
	text, err = json.Marshal(whozex.Page[whozex.User]{Items: []whozex.User{{ID: "u1"}}, Pagination: whozex.Pagination{Total: 1, Page: 1}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"items":[{"id":"u1","name":"","email":"","balance":"0","package_count":0}],
		"pagination":{"total":1,"page":1,"limit":0,"pages":0,"has_next":false,"has_prev":false}}`, string(text))
}
