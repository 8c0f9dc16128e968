package shape_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/internal/shape"
)

// documented has the responses in the API's documentation, with the omitted parts
// filled in.
var documented = map[whozex.Operation]string{
	whozex.OpGetAccount: `{"id":"r1","name":"Reseller Name","email":"you@example.com","balance":150.00,"is_vip":true,
		"api_key":{"last_used_at":"2025-01-01T12:00:00.000Z"},"stats":{"packages":24,"sub_users":8,"total_spent":340.00},
		"pricing":{"custom_price_per_gb":0.90}}`,
	whozex.OpListUsers: `{"users":[{"id":"u1","name":"John Doe","email":"john@example.com","balance":0.00,"package_count":0,"created_at":"2025-01-01T12:00:00.000Z"},
		{"id":"u2","name":"Jane Doe","email":"jane@example.com","balance":1.50,"package_count":2,"created_at":"2025-01-01T12:00:00Z"}],
		"pagination":{"total":47,"page":1,"limit":20,"pages":3,"has_next":true,"has_prev":false}}`,
	whozex.OpCreateUser: `{"id":"u1","name":"John Doe","email":"john@example.com","balance":0.00,"package_count":0,"created_at":"2025-01-01T12:00:00.000Z"}`,
	whozex.OpAddBalance: `{"user_id":"u1","action":"add","amount":50.00,"user_balance":50.00,"reseller_balance":100.00}`,
	whozex.OpPurchasePackage: `{"id":"PKG-A1B2C3","proxy_type":"residential","total_gb":20,"used_gb":0,"remaining_gb":20,"status":"active",
		"evomi_username":"wx3f8a2c01","evomi_password":"wxp1a2b3c4d5e6f7a8","cost":30.00,"price_per_gb":1.50,"user_balance_after":20.00,
		"created_at":"2025-01-01T12:00:00.000Z","expires_at":"2025-02-01T12:00:00.000Z"}`,
	whozex.OpGetCredentials: `{"username":"wx3f8a2c01","password":"wxp1a2b3",
		"http":{"host":"rp.evomi.com","port":1000,"connection_string":"rp.evomi.com:1000:wx3f8a2c01:wxp1a2b3_country-TR","curl_example":"curl -x"},
		"socks5":{"host":"rp.evomi.com","port":1002,"connection_string":"rp.evomi.com:1002:wx3f8a2c01:wxp1a2b3_country-TR"},
		"targeting":{"country":"TR","city":null}}`,
	whozex.OpGetPricing: `{"is_vip":true,"custom_price_per_gb":0.90,"plans":[
		{"gb":10,"label":"10 GB","standard_price":2.00,"vip_price":1.60,"your_price":0.90,"total_cost":9.00},
		{"gb":100,"label":"100 GB","standard_price":1.00,"vip_price":0.80,"your_price":0.90,"total_cost":90.00}]}`,
	whozex.OpCalculatePrice: `{"gb":50,"price_per_gb":0.90,"total":45.00,"is_vip":true,"custom_price":true}`,
	whozex.OpCreateWebhook:  `{"id":"WH-A1B2C3D4","url":"https://bot.example.com/webhook","events":["package.low_gb","balance.added"],"secret":"wxsec_a1b2c3","note":"Save the secret"}`,
}

// responseType returns the type that an operation's response is decoded into.
func responseType(t *testing.T, op whozex.Operation) reflect.Type {
	t.Helper()
	method, found := reflect.TypeFor[*whozex.Client]().MethodByName(string(op))
	require.True(t, found, op)
	return method.Type.Out(0).Elem()
}

func compare(t *testing.T, op whozex.Operation, data string) []shape.Difference {
	t.Helper()
	differences, err := shape.Compare([]byte(data), responseType(t, op), string(op))
	require.NoError(t, err)
	return differences
}

func TestCompare_DocumentedResponses(t *testing.T) {
	for op, data := range documented {
		assert.Empty(t, compare(t, op, data), op)
	}
}

// mutation is a changed payload and the differences that Compare must report.
type mutation struct {
	name string
	data string
	want []string
}

// mutate returns payload with each possible single change.
func mutate(t *testing.T, payload string) []mutation {
	t.Helper()
	var root any
	decoder := json.NewDecoder(strings.NewReader(payload))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&root))
	var all []mutation
	emit := func(name string, want ...string) {
		data, err := json.Marshal(root)
		require.NoError(t, err)
		all = append(all, mutation{name: name, data: string(data), want: want})
	}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch v := value.(type) {
		case []any:
			for i, item := range v {
				for _, other := range retyped(item) {
					v[i] = other
					emit(fmt.Sprintf("%s[%d] becomes %v", path, i, other), kindOf(other)+" "+path+"[]")
				}
				v[i] = item
				walk(path+"[]", item)
			}
		case map[string]any:
			v["something_new"] = true
			emit("add to "+path, "unknown field "+join(path, "something_new"))
			delete(v, "something_new")
			for _, name := range slices.Sorted(maps.Keys(v)) {
				at, item := join(path, name), v[name]
				delete(v, name)
				emit("remove "+at, "missing field "+at)
				v["renamed"] = item
				emit("rename "+at, "missing field "+at, "unknown field "+join(path, "renamed"))
				delete(v, "renamed")
				for _, other := range retyped(item) {
					v[name] = other
					emit(fmt.Sprintf("%s becomes %v", at, other), kindOf(other)+" "+at)
				}
				if strings.HasSuffix(name, "_at") {
					v[name] = "yesterday"
					emit("garble "+at, "unreadable time "+at)
				}
				v[name] = item
				walk(at, item)
			}
		}
	}
	walk("", root)
	return all
}

// retyped returns a value of each type other than that of value.
func retyped(value any) []any {
	var others []any
	for _, other := range []any{"text", true, json.Number("1.5"), []any{}, map[string]any{}, nil} {
		if reflect.TypeOf(other) != reflect.TypeOf(value) {
			others = append(others, other)
		}
	}
	if number, ok := value.(json.Number); ok && !strings.Contains(number.String(), ".") {
		others = append(others, json.Number("1.5"))
	}
	return others
}

func kindOf(value any) string {
	if value == nil {
		return "unexpected null"
	}
	return "other type"
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// differences returns the expected differences, without changes that the API allows.
func differences(op whozex.Operation, m mutation) []string {
	nullable := regexp.MustCompile(`^(.*last_used_at|.*custom_price_per_gb|expires_at|targeting.city) becomes <nil>$`)
	// In the example the amounts are integers and the city is null.
	fractional := regexp.MustCompile(`^\w+_gb becomes 1.5$`)
	if nullable.MatchString(m.name) || m.name == "targeting.city becomes text" ||
		op == whozex.OpPurchasePackage && fractional.MatchString(m.name) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(m.want), func(want string) bool {
		switch want {
		case "missing field http.curl_example": // optional: SOCKS5 has none
			return true
		case "missing field users", "unknown field renamed":
			// The name of a list is not documented, so any name is accepted.
			return m.name == "rename users"
		}
		return false
	})
}

func TestCompare_Mutations(t *testing.T) {
	different, equal := 0, 0
	for op, payload := range documented {
		for _, m := range mutate(t, payload) {
			var got []string
			for _, d := range compare(t, op, m.data) {
				got = append(got, string(d.Kind)+" "+strings.Replace(d.Path, "items", "users", 1))
			}
			want := differences(op, m)
			if len(want) == 0 {
				equal++
				assert.Empty(t, got, "%s: %s", op, m.name)
				continue
			}
			different++
			assert.ElementsMatch(t, want, got, "%s: %s", op, m.name)
		}
	}
	t.Logf("%d mutations of %d payloads reported, %d more are allowed", different, len(documented), equal)
	assert.Greater(t, different, 500)
}

func TestCompare_Inferred(t *testing.T) {
	differences := compare(t, whozex.OpGetPackage, `{"live":true,"remaining_gb":"20"}`)
	byPath := map[string]shape.Difference{}
	for _, d := range differences {
		byPath[d.Path] = d
	}
	assert.Equal(t, shape.Difference{Path: "remaining_gb", Kind: shape.Type, Want: "number", Got: "string"}, byPath["remaining_gb"])
	assert.True(t, byPath["cost"].Inferred)
	assert.Equal(t, shape.Missing, byPath["cost"].Kind)
	users := compare(t, whozex.OpListUsers, `{"members":[{"id":1},null],"pagination":{}}`)
	assert.Contains(t, users, shape.Difference{Path: "members[].id", Kind: shape.Type, Want: "string", Got: "integer", Inferred: true})
	assert.Contains(t, users, shape.Difference{Path: "members[]", Kind: shape.Null, Want: "object", Got: "null", Inferred: true})
	assert.Contains(t, users, shape.Difference{Path: "pagination.total", Kind: shape.Missing, Want: "integer"})
}

func TestCompare_ChartWithUnknownFields(t *testing.T) {
	assert.Empty(t, compare(t, whozex.OpGetAccountStats, `{"spending":{"a":1.5},"gb_by_proxy_type":{},"chart":[{"date":"2025-01-01T00:00:00Z","gb":1,"spent":2}]}`))
	assert.Equal(t, []shape.Difference{{Path: "chart[].gb", Kind: shape.Type, Want: "number", Got: "string", Inferred: true}},
		compare(t, whozex.OpGetAccountStats, `{"spending":{},"gb_by_proxy_type":{},"chart":[{"date":"2025-01-01T00:00:00Z","gb":"1"}]}`))
}

func TestCompare_HidesNamesThatMayBeValues(t *testing.T) {
	data := `{"spending":{"john@example.com":true,"2025-01-01":1},"PKG-A1B2C3":{"wx3f8a2c01":1},"socks5":1}`
	differences := compare(t, whozex.OpGetAccountStats, data)
	described, err := shape.Describe([]byte(data), responseType(t, whozex.OpGetAccountStats), string(whozex.OpGetAccountStats))
	require.NoError(t, err)
	for _, value := range []string{"john", "2025", "PKG", "wx3f"} {
		assert.NotContains(t, fmt.Sprint(differences), value)
		assert.NotContains(t, fmt.Sprint(described), value)
	}
}

func TestCompare_InvalidJSON(t *testing.T) {
	_, err := shape.Compare([]byte("<html>"), responseType(t, whozex.OpGetAccount), "GetAccount")
	assert.Error(t, err)
	_, err = shape.Describe([]byte(""), responseType(t, whozex.OpGetAccount), "GetAccount")
	assert.Error(t, err)
}
