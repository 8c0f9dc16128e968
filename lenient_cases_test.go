package whozex_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/whozex/whozex-go"
)

type oddRow struct {
	comes, wanted string
	cases         []oddCase
}

const (
	aUser        = `{"id":"u1","name":"John","email":"john@example.com","balance":5.00,"package_count":1,"created_at":"2025-01-01T12:00:00.000Z"}`
	aTransaction = `{"id":"t1","type":"deposit","amount":1,"balance_after":2,"note":"n","created_at":"2025-01-01T12:00:00.000Z"}`
	aWebhook     = `{"id":"WH-1","url":"https://example.com","events":[],"secret":"s","note":""}`
	aPlan        = `{"gb":12,"label":"12 GB","standard_price":1,"vip_price":1,"your_price":1,"total_cost":12}`
	lastPage     = `{"total":1,"page":1,"limit":20,"pages":1,"has_next":false,"has_prev":false}`
	firstOfThree = `{"total":45,"page":1,"limit":20,"pages":3,"has_next":true,"has_prev":false}`
	credentials  = `{"username":"u","password":"p","http":{"host":"h","port":1000,"connection_string":"h:1000:u:p"},
		"socks5":{"host":"h","port":1002,"connection_string":"h:1002:u:p"},"targeting":{"country":"TR","city":null}}`
)

// aPackage is the response of GetPackage, packageData that of PurchasePackage.
var aPackage = strings.TrimSuffix(packageData, "}") + `,"live":true}`

func usersIs(users, pagination string) string {
	return ok(`{"users":` + users + `,"pagination":` + pagination + `}`)
}

// oddResponses are responses that other APIs send, according to public bug reports, with
// the expected results. A case that succeeds lists the id among its fields.
var oddResponses = []oddRow{
	{
		comes: "an id that is a number", wanted: "its text",
		cases: []oddCase{
			{name: "of a user", op: whozex.OpCreateUser, body: ok(with(aUser, "id", "423774377")), fields: fields{"id": "423774377"}},
			{name: "of a user in a list", op: whozex.OpListUsers, body: usersIs("["+with(aUser, "id", "423774377")+"]", lastPage), fields: fields{"users[0].id": "423774377"}},
			{name: "of a package", op: whozex.OpPurchasePackage, body: ok(with(packageData, "id", "423774377")), fields: fields{"id": "423774377"}},
			{name: "of a package that is read", op: whozex.OpGetPackage, body: ok(with(aPackage, "id", "423774377")), fields: fields{"id": "423774377"}},
			{name: "of a webhook", op: whozex.OpCreateWebhook, body: ok(with(aWebhook, "id", "423774377")), fields: fields{"id": "423774377", "secret": "s"}},
			{
				name: "of a transaction", op: whozex.OpListTransactions,
				body:   ok(`{"transactions":[` + with(aTransaction, "id", "423774377") + `],"pagination":` + lastPage + `}`),
				fields: fields{"transactions[0].id": "423774377"},
			},
			{name: "of more digits than a float has", op: whozex.OpCreateUser, body: ok(with(aUser, "id", "9007199254740993")), fields: fields{"id": "9007199254740993"}},
		},
	},
	{
		comes: "odd fields in a purchase that succeeded", wanted: "package with id, password, cost, nil error; the odd fields named",
		cases: []oddCase{
			{
				name: "status 1, live 1 and no GB used", op: whozex.OpPurchasePackage,
				body:   ok(strings.TrimSuffix(with(packageData, "status", "1", "used_gb", `""`), "}") + `,"live":1}`),
				fields: fields{"id": "PKG-A1B2C3", "evomi_password": "wxp1a2b3c4d5e6f7a8", "cost": "30", "status": "1", "live": "true", "used_gb": "0"},
				unread: []string{"used_gb"},
			},
			{
				name: "an array and a boolean", op: whozex.OpPurchasePackage,
				body:   ok(with(packageData, "remaining_gb", "[]", "evomi_username", "true")),
				fields: fields{"id": "PKG-A1B2C3", "evomi_password": "wxp1a2b3c4d5e6f7a8", "cost": "30"},
				unread: []string{"evomi_username", "remaining_gb"},
			},
			{
				name: "no balance after it", op: whozex.OpPurchasePackage, body: ok(with(packageData, "user_balance_after", "")),
				fields: fields{"id": "PKG-A1B2C3", "user_balance_after": "0"}, unread: []string{"user_balance_after"},
			},
			{
				name: "a cost with two meanings", op: whozex.OpPurchasePackage, body: ok(with(packageData, "cost", `"1,220.00"`)),
				fields: fields{"id": "PKG-A1B2C3", "cost": "0"}, unread: []string{"cost"},
			},
		},
	},
	{
		comes: "an empty custom price", wanted: "null",
		cases: []oddCase{
			{
				name: "of the tiers", op: whozex.OpGetPricing,
				body:   ok(`{"is_vip":1,"custom_price_per_gb":"","plans":[` + with(aPlan, "gb", `"12"`, "label", `""`) + `]}`),
				fields: fields{"custom_price_per_gb": "null", "is_vip": "true", "plans[0].gb": "12"},
			},
			{name: "of the account", op: whozex.OpGetAccount, body: ok(with(everything, "custom_price_per_gb", `""`)), fields: fields{"pricing.custom_price_per_gb": "null"}},
		},
	},
	{
		comes: "12.0 and text for a count", wanted: "12",
		cases: []oddCase{
			{name: "packages", op: whozex.OpGetAccount, body: ok(with(everything, "packages", "12.0")), fields: fields{"stats.packages": "12"}},
			{name: "packages in text", op: whozex.OpGetAccount, body: ok(with(everything, "packages", `"12"`)), fields: fields{"stats.packages": "12"}},
			{name: "GB in text", op: whozex.OpCalculatePrice, body: ok(with(everything, "gb", `"12"`)), fields: fields{"gb": "12"}},
			{name: "GB of a tier", op: whozex.OpGetPricing, body: ok(with(everything, "plans", "["+with(aPlan, "gb", "12.0")+"]")), fields: fields{"plans[0].gb": "12"}},
			{name: "a fraction is no count", op: whozex.OpGetAccount, body: ok(with(everything, "packages", "12.5")), fields: fields{"stats.packages": "0"}, unread: []string{"stats.packages"}},
		},
	},
	{
		comes: "1 and text for true", wanted: "true",
		cases: []oddCase{
			{name: "1", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", "1")), fields: fields{"is_vip": "true"}},
			{name: "text", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", `"true"`)), fields: fields{"is_vip": "true"}},
			{name: "0", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", "0")), fields: fields{"is_vip": "false"}},
			{name: "live that is 1", op: whozex.OpGetPackage, body: ok(with(aPackage, "live", "1")), fields: fields{"live": "true"}},
		},
	},
	{
		comes: "success that is 0 with an error beside it", wanted: "that error, its message, its sentinel; definite",
		cases: refusals(
			[]int{200, 400, 500},
			`{"success":0,"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
			`{"success":"0","error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
			`{"success":"false","error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
		),
	},
	{
		comes: "an error in other forms", wanted: "code and message found, sentinel, definite",
		cases: refusals(
			[]int{200, 400, 500},
			`{"success":false,"error":[{"code":"INSUFFICIENT_BALANCE","message":"too low"}]}`,
			`{"success":false,"errors":[{"code":"INSUFFICIENT_BALANCE","message":"too low"}]}`,
			`{"success":false,"code":"INSUFFICIENT_BALANCE","message":"too low"}`,
			`{"success":false,"error":"INSUFFICIENT_BALANCE","message":"too low"}`,
			`{"success":false,"error":{"code":"insufficient_balance","message":"too low"}}`,
			`{"success":false,"error":"insufficient_balance","message":"too low"}`,
			`{"success":false,"error":{"code":"INSUFFICIENT_BALANCE","message":{"balance":["too low"]}}}`,
			`{"success":false,"error":{"code":"INSUFFICIENT_BALANCE"},"message":"too low"}`,
			`{"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
		),
	},
	{
		comes: "data within its name", wanted: "unwrapped; without fields an error",
		cases: []oddCase{
			{name: "a package that was bought", op: whozex.OpPurchasePackage, body: ok(`{"package":` + packageData + `}`), fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "a package", op: whozex.OpGetPackage, body: ok(`{"package":` + aPackage + `}`), fields: fields{"id": "PKG-A1B2C3", "remaining_gb": "20"}},
			{name: "a user", op: whozex.OpCreateUser, body: ok(`{"user":` + aUser + `}`), fields: fields{"id": "u1", "balance": "5"}},
			{name: "nothing, of a purchase", op: whozex.OpPurchasePackage, body: ok(`{}`), unknown: true, text: "id"},
			{name: "nothing, of a new user", op: whozex.OpCreateUser, body: ok(`{}`), unknown: true, text: "id"},
			{name: "nothing, of a package", op: whozex.OpGetPackage, body: ok(`{}`), text: "remaining_gb"},
			{name: "nothing, of the account", op: whozex.OpGetAccount, body: ok(`{}`), text: "id"},
		},
	},
	{
		comes: "live beside a package within its name", wanted: "18.5, live",
		cases: []oddCase{
			{
				name: "and no more", op: whozex.OpGetPackage, body: ok(`{"package":{"remaining_gb":18.5},"live":true}`),
				fields: fields{"id": "PKG-A1B2C3", "remaining_gb": "18.5", "live": "true"},
				unread: []string{"cost", "created_at", "evomi_password", "evomi_username", "expires_at", "price_per_gb", "proxy_type", "status", "total_gb", "used_gb", "user_balance_after"},
			},
		},
	},
	{
		comes: "no GB and no money in a read", wanted: "an error that names the field",
		cases: []oddCase{
			{name: "GB that are null", op: whozex.OpGetPackage, body: ok(with(aPackage, "remaining_gb", "null")), text: "remaining_gb"},
			{name: "GB that are missing", op: whozex.OpGetPackage, body: ok(with(aPackage, "remaining_gb", "")), text: "remaining_gb"},
			{name: "a balance that is null", op: whozex.OpGetAccount, body: ok(with(everything, "balance", "null")), text: "balance"},
			{name: "a balance that is missing", op: whozex.OpGetAccount, body: ok(with(everything, "balance", "")), text: "balance"},
			{name: "a balance under another name in a list", op: whozex.OpListUsers, body: usersIs("["+aUser+","+strings.Replace(aUser, "balance", "credit", 1)+"]", lastPage), text: "users[1].balance"},
			{name: "an amount with two meanings", op: whozex.OpGetAccount, body: ok(with(everything, "balance", `"1,220.00"`)), text: "balance"},
			{name: "an amount that would fill the memory", op: whozex.OpGetAccount, body: ok(with(everything, "balance", "1e999999999")), text: "balance"},
			{name: "GB of a tier", op: whozex.OpGetPricing, body: ok(with(everything, "plans", "["+with(aPlan, "gb", "")+"]")), text: "plans[0].gb"},
		},
	},
	{
		comes: "a list in other forms", wanted: "the list, or the empty list",
		cases: []oddCase{
			{name: "alone", op: whozex.OpListUsers, body: ok("[" + aUser + "]"), fields: fields{"count": "1", "users[0].id": "u1"}, raw: aUser, unread: []string{"pagination"}},
			{name: "an empty object", op: whozex.OpListUsers, body: usersIs("{}", lastPage), fields: fields{"count": "0"}},
			{name: "null", op: whozex.OpListUsers, body: usersIs("null", lastPage), fields: fields{"count": "0"}},
			{name: "an array for the pagination", op: whozex.OpListUsers, body: usersIs("["+aUser+"]", "[]"), fields: fields{"count": "1"}, unread: []string{"pagination"}},
			{name: "no pagination", op: whozex.OpListUsers, body: ok(`{"users":null}`), fields: fields{"count": "0"}, unread: []string{"pagination"}},
			{
				name: "pagination in text", op: whozex.OpListUsers, body: usersIs("["+aUser+"]", `{"total":"1","page":"1","limit":"20","pages":"1","has_next":"false","has_prev":0}`),
				fields: fields{"count": "1", "pagination.total": "1", "pagination.pages": "1", "pagination.has_next": "false"},
			},
			{
				name: "pagination without has_next", op: whozex.OpListUsers, body: usersIs("["+aUser+"]", `{"total":45,"page":1,"limit":20,"pages":3}`),
				fields: fields{"pagination.has_next": "true"}, unread: []string{"pagination.has_next", "pagination.has_prev"},
			},
			{
				name: "pagination beside the data", op: whozex.OpListUsers, body: `{"success":true,"data":[` + aUser + `],"pagination":` + firstOfThree + `}`,
				fields: fields{"count": "1", "pagination.total": "45", "pagination.has_next": "true"}, raw: aUser,
			},
			{name: "other lists beside", op: whozex.OpListUsers, body: ok(`{"filters":[1],"Users":[` + aUser + `],"tags":[],"pagination":` + lastPage + `}`), fields: fields{"count": "1"}, raw: aUser},
			{name: "twice", op: whozex.OpListUsers, body: ok(`{"users":[],"users":[` + aUser + `],"pagination":` + lastPage + `}`), fields: fields{"count": "1"}, raw: aUser},
			{
				name: "beside the list of another", op: whozex.OpListTransactions,
				body:   ok(`{"users":[],"transactions":[` + aTransaction + `],"pagination":` + lastPage + `}`),
				fields: fields{"count": "1"}, raw: aTransaction,
			},
			{name: "none", op: whozex.OpListUsers, body: ok(`{"pagination":` + firstOfThree + `}`), text: "no list"},
		},
	},
	{
		comes: "no pagination and a full page", wanted: "the iteration goes on, or ends with an error",
		cases: []oddCase{
			{name: "no pagination", op: opAllUsers, body: ok(`{"users":` + usersFrom(0, 100) + `}`), then: []string{ok(`{"users":` + usersFrom(100, 200) + `}`), ok(`{"users":` + usersFrom(200, 250) + `}`), ok(`{"users":[]}`)}, fields: fields{"count": "250"}},
			{name: "pagination that is an array", op: opAllUsers, body: usersIs(usersFrom(0, 100), "[]"), then: []string{usersIs(usersFrom(100, 200), "[]"), usersIs(usersFrom(200, 250), "[]"), usersIs("[]", "[]")}, fields: fields{"count": "250"}},
			{name: "pagination beside the data", op: opAllUsers, body: beside(0, 100, 1), then: []string{beside(100, 200, 2), beside(200, 250, 3)}, fields: fields{"count": "250"}},
			{name: "a list alone", op: opAllUsers, body: ok(usersFrom(0, 100)), then: []string{ok(usersFrom(100, 110))}, fields: fields{"count": "110"}},
		},
	},
	{
		comes: "an odd Retry-After", wanted: "at least 1.5 s; bounded",
		cases: []oddCase{
			{name: "a fraction", op: whozex.OpGetAccount, status: 429, header: "Retry-After: 1.5", then: []string{ok(everything)}, fields: fields{"balance": "150"}, wait: 1500 * time.Millisecond},
			{name: "a fraction of a read that failed", op: whozex.OpGetAccount, status: 503, header: "Retry-After: 1.5", then: []string{ok(everything)}, fields: fields{"balance": "150"}, wait: 1500 * time.Millisecond},
			{name: "seconds since 1970", op: whozex.OpGetAccount, status: 429, header: "Retry-After: 946684805", then: []string{ok(everything)}, fields: fields{"balance": "150"}, wait: 5 * time.Second},
			{name: "milliseconds since 1970", op: whozex.OpGetAccount, status: 503, header: "Retry-After: 946684805000", then: []string{ok(everything)}, fields: fields{"balance": "150"}, wait: 5 * time.Second},
			{name: "a far time", op: whozex.OpGetAccount, status: 429, header: "Retry-After: 4102444800", then: []string{ok(everything)}, fields: fields{"balance": "150"}, wait: whozex.DefaultMaxRetryAfter},
			{name: "a year", op: whozex.OpGetAccount, status: 503, header: "Retry-After: 31536000.5", then: []string{ok(everything)}, fields: fields{"balance": "150"}, wait: whozex.DefaultMaxRetryAfter},
		},
	},
	{
		comes: "a body that is not the API's", wanted: "an *Error that is neither ErrAPIDisabled nor ErrNotFound",
		cases: []oddCase{
			{name: "a challenge page under 403", op: whozex.OpGetAccount, status: 403, body: "<html>Just a moment...</html>", isNot: statusSentinels},
			{name: "a challenge page under 404", op: whozex.OpGetAccount, status: 404, body: "<html>Just a moment...</html>", isNot: statusSentinels},
			{name: "a proxy's page under 403", op: whozex.OpGetAccount, status: 403, body: "<html>403 Forbidden</html>", isNot: statusSentinels},
			{name: "a proxy's page under 404", op: whozex.OpGetAccount, status: 404, body: "<html>404 Not Found</html>", isNot: statusSentinels},
			{name: "a proxy's login", op: whozex.OpGetAccount, status: 401, isNot: statusSentinels},
			{name: "JSON of a gateway", op: whozex.OpGetAccount, status: 404, body: `{"message":"no Route matched with those values"}`, isNot: statusSentinels},
			{name: "JSON of a gateway with a code", op: whozex.OpGetAccount, status: 403, body: `{"code":403,"message":"blocked"}`, code: "403", isNot: statusSentinels},
			{name: "an error object of a gateway", op: whozex.OpGetAccount, status: 404, body: `{"error":{"code":"ResourceNotFound","message":"no API"}}`, code: "ResourceNotFound", isNot: statusSentinels},
			{name: "text", op: whozex.OpGetAccount, status: 404, body: `"gone"`, isNot: statusSentinels},
			{name: "a documented code without the rest", op: whozex.OpGetAccount, status: 404, body: `{"error":{"code":"NOT_FOUND"}}`, code: "NOT_FOUND", is: whozex.ErrNotFound},
			{name: "the API's own envelope", op: whozex.OpGetAccount, status: 404, body: refusal("GONE", "no such user"), code: "GONE", is: whozex.ErrNotFound},
			{name: "a bad gateway", op: whozex.OpGetAccount, status: 502, body: "<html>", is: whozex.ErrServer},
			{name: "a proxy's limit", op: whozex.OpGetAccount, status: 429, body: "<html>", is: whozex.ErrRateLimited},
		},
	},
	{
		comes: "a status of proxies", wanted: "a read is retried; the outcome of a mutating call is unknown",
		cases: eachStatus(500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529, 530, 599),
	},
	{
		comes: "a byte order mark", wanted: "skipped, everywhere",
		cases: append(refusals(
			[]int{200, 400, 500},
			"\ufeff"+`{"success":false,"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
		), marked()...),
	},
	{
		comes: "a time in other forms", wanted: "that time, in any field",
		cases: times(
			`1735732800`, `1735732800000`, `"1735732800"`, `1735732800.0`, `"2025-01-01T12:00:00+0000"`, `"2025-01-01T12:00:00"`,
			`"2025-01-01 12:00:00"`, `"2025-01-01 14:00:00+02:00"`, `"2025-01-01T12:00:00.000000Z"`, `"Wed, 01 Jan 2025 12:00:00 GMT"`,
		),
	},
	{
		comes: "gzip although not asked for", wanted: "read, bounded",
		cases: []oddCase{
			{name: "a read", op: whozex.OpGetAccount, gzip: 1, header: "Content-Encoding: gzip", body: ok(everything), fields: fields{"balance": "150"}},
			{name: "without the header", op: whozex.OpGetAccount, gzip: 1, body: ok(everything), fields: fields{"balance": "150"}},
			{name: "only the header", op: whozex.OpGetAccount, header: "Content-Encoding: gzip", body: ok(everything), fields: fields{"balance": "150"}},
			{name: "a purchase", op: whozex.OpPurchasePackage, gzip: 1, header: "Content-Encoding: gzip", body: ok(packageData), fields: fields{"id": "PKG-A1B2C3"}},
			{name: "more than the bound", op: whozex.OpGetAccount, gzip: 1, header: "Content-Encoding: gzip", body: ok(with(everything, "name", `"`+strings.Repeat("x", 10<<20)+`"`)), text: "too long"},
			{name: "half of it", op: whozex.OpGetAccount, header: "Content-Encoding: gzip", body: compressed(ok(everything))[:200], text: "truncated"},
			{name: "with a wrong checksum, of a purchase", op: whozex.OpPurchasePackage, header: "Content-Encoding: gzip", body: compressed(ok(packageData))[:200] + "checksum", unknown: true, text: "truncated"},
		},
	},
	{
		comes: "odd proxy addresses", wanted: "a proxy URL",
		cases: []oddCase{
			{name: "an IPv6 address", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"[2001:db8::1]:1000:u:p"`)), fields: fields{"url": "http://u:p@[2001:db8::1]:1000"}},
			{name: "a port in text", op: whozex.OpGetCredentials, body: ok(with(credentials, "port", `"1000"`)), fields: fields{"http.port": "1000", "url": "http://u:p@h:1000"}},
			{name: "a name", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"rp.evomi.com:1000:u:p"`)), fields: fields{"url": "http://u:p@rp.evomi.com:1000"}},
			{name: "a password with marks", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"h:1000:u:p:/#%@_country-TR"`)), fields: fields{"url": "http://u:p%3A%2F%23%25%40_country-TR@h:1000"}},
			{name: "no port", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"h:u:p"`)), fields: fields{"url": "none"}},
			{name: "port 0", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"h:0:u:p"`)), fields: fields{"url": "none"}},
			{name: "an open bracket", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"[2001:db8::1:1000:u:p"`)), fields: fields{"url": "none"}},
			{name: "no host", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `":1000:u:p"`)), fields: fields{"url": "none"}},
			{name: "no password", op: whozex.OpGetCredentials, body: ok(with(credentials, "connection_string", `"h:1000:u:"`)), fields: fields{"url": "none"}},
		},
	},
	// The following rows are from the issues of other clients.
	{
		comes: "an amount in other forms of one meaning", wanted: "the amount",
		cases: amounts("150", `"150.00"`, `" 150.00 "`, `"+150"`, `"1.5e2"`, `1.5E+2`, `15e1`, `"0150.0"`, `"150."`),
	},
	{
		comes: "an amount of no or of two meanings", wanted: "a read is an error that names it; a purchase names it",
		cases: noAmounts(
			`"1,50"`, `"1,220.00"`, `"1.220,00"`, `"1 220.00"`, `"$150.00"`, `"150.00 USD"`, `"150.00-"`, `"(150.00)"`, `"NaN"`, `"Infinity"`, `"null"`, `"N/A"`, `"-"`, `"1e"`,
			`"0x96"`, `"1_50"`, `"\u0661\u0665"`, `{"amount":"150.00","currency":"USD"}`, `{"$numberDecimal":"150.00"}`, `["150.00"]`, `true`, `1e400`, `"1e65"`,
		),
	},
	{
		comes: "a word for a boolean", wanted: "it is named: true is guessed of 1 and true alone",
		cases: []oddCase{
			{name: "Y", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", `"Y"`)), fields: fields{"is_vip": "false", "balance": "150"}, unread: []string{"is_vip"}},
			{name: "yes", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", `"yes"`)), fields: fields{"is_vip": "false"}, unread: []string{"is_vip"}},
			{name: "2", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", `2`)), fields: fields{"is_vip": "false"}, unread: []string{"is_vip"}},
			{name: "TRUE", op: whozex.OpGetAccount, body: ok(with(everything, "is_vip", `"TRUE"`)), fields: fields{"is_vip": "true"}},
		},
	},
	{
		comes: "an empty array for an object, as PHP has it", wanted: "the fields in it are missing",
		cases: []oddCase{
			{name: "without amounts", op: whozex.OpGetAccount, body: ok(with(everything, "api_key", `[]`)), fields: fields{"api_key.last_used_at": ""}, unread: []string{"api_key.last_used_at"}},
			{name: "with amounts", op: whozex.OpGetAccount, body: ok(with(everything, "stats", `[]`)), text: "stats.total_spent"},
			{name: "for meta", op: whozex.OpPurchasePackage, body: `{"success":true,"data":` + packageData + `,"meta":[],"error":[]}`, fields: fields{"id": "PKG-A1B2C3"}},
			{name: "for the data of a read", op: whozex.OpGetPackage, body: ok(`[]`), text: "not an object"},
			{name: "for the data of a purchase", op: whozex.OpPurchasePackage, body: ok(`[]`), unknown: true, text: "not an object"},
			{name: "for statistics, of which no names are known", op: whozex.OpGetAccountStats, body: ok(`[]`), fields: fields{}},
			{name: "numbered members for a list", op: whozex.OpListUsers, body: usersIs(`{"0":`+aUser+`,"2":`+aUser+`}`, lastPage), text: "users"},
		},
	},
	{
		comes: "other names and places", wanted: "what encoding/json takes too; a name is never guessed",
		cases: []oddCase{
			{name: "capitals", op: whozex.OpGetAccount, body: ok(strings.Replace(everything, `"balance"`, `"Balance"`, 1)), fields: fields{"balance": "150"}},
			{name: "capitals in the envelope", op: whozex.OpPurchasePackage, body: `{"Success":true,"Data":` + packageData + `}`, fields: fields{"id": "PKG-A1B2C3"}},
			{name: "camel case of a read", op: whozex.OpGetPackage, body: ok(strings.Replace(aPackage, `"remaining_gb"`, `"remainingGb"`, 1)), text: "remaining_gb"},
			{name: "camel case of a purchase", op: whozex.OpPurchasePackage, body: ok(strings.Replace(packageData, `"user_balance_after"`, `"userBalanceAfter"`, 1)), fields: fields{"id": "PKG-A1B2C3", "user_balance_after": "0"}, unread: []string{"user_balance_after"}},
			{name: "a member twice", op: whozex.OpGetAccount, body: ok(strings.Replace(everything, `"balance":150.00`, `"balance":1,"balance":150.00`, 1)), fields: fields{"balance": "150"}},
			{name: "an id that is an object", op: whozex.OpPurchasePackage, body: ok(with(packageData, "id", `{"$oid":"1"}`)), unknown: true, text: "id"},
			{name: "data within data, of a purchase", op: whozex.OpPurchasePackage, body: ok(`{"data":` + packageData + `}`), fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "data within data, of the account", op: whozex.OpGetAccount, body: ok(`{"data":` + everything + `}`), fields: fields{"balance": "150"}},
			{name: "an array of one, of a purchase", op: whozex.OpPurchasePackage, body: ok(`[` + packageData + `]`), fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "an array of two, of a purchase", op: whozex.OpPurchasePackage, body: ok(`[` + packageData + `,` + packageData + `]`), unknown: true, text: "not an object"},
			{name: "no data around a purchase", op: whozex.OpPurchasePackage, body: `{"success":true,` + packageData[1:], fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "a package in the place of data", op: whozex.OpPurchasePackage, body: `{"success":true,"package":` + packageData + `,"meta":` + testMeta + `}`, fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "a result in the place of data", op: whozex.OpPurchasePackage, body: `{"success":true,"result":` + packageData + `}`, fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "a list in the place of data", op: whozex.OpListUsers, body: `{"success":true,"users":[` + aUser + `],"pagination":` + lastPage + `}`, fields: fields{"count": "1", "pagination.total": "1"}, raw: aUser},
			{name: "a key in the place of data", op: whozex.OpRegenerateKey, body: `{"success":true,"api_key":"wx_live_second"}`, fields: fields{"api_key": "wx_live_second"}},
			{name: "statistics in the place of data", op: whozex.OpGetAccountStats, body: `{"success":true,"spending":{"purchase":1.5}}`, fields: fields{}},
			{name: "success alone, of statistics", op: whozex.OpGetAccountStats, body: `{"success":true,"meta":` + testMeta + `}`, text: "no data"},
			{name: "success alone, of a purchase", op: whozex.OpPurchasePackage, body: `{"success":true}`, unknown: true, text: "no data"},
			{name: "null for the data of a purchase", op: whozex.OpPurchasePackage, body: `{"success":true,"data":null,` + packageData[1:], unknown: true, text: "no data"},
			{name: "an error beside a purchase that succeeded", op: whozex.OpPurchasePackage, body: `{"success":true,"error":{"code":"X"},"data":` + packageData + `}`, fields: fields{"id": "PKG-A1B2C3"}},
			{name: "another word for success", op: whozex.OpPurchasePackage, body: `{"success":"ok","data":` + packageData + `}`, unknown: true, text: "envelope"},
			{name: "a status for success", op: whozex.OpPurchasePackage, body: `{"status":"success","data":` + packageData + `}`, unknown: true, text: "envelope"},
			{name: "an envelope in an array", op: whozex.OpPurchasePackage, body: `[` + ok(packageData) + `]`, unknown: true},
		},
	},
	{
		comes: "JSON within text", wanted: "read: nothing is lost by it",
		cases: []oddCase{
			{name: "the data of a purchase", op: whozex.OpPurchasePackage, body: ok(quoted(packageData)), fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "the data of the account", op: whozex.OpGetAccount, body: ok(quoted(everything)), fields: fields{"balance": "150"}},
			{name: "the data of a list", op: whozex.OpListUsers, body: ok(quoted(`{"users":[` + aUser + `],"pagination":` + lastPage + `}`)), fields: fields{"count": "1"}, raw: aUser},
			{name: "the body of a purchase", op: whozex.OpPurchasePackage, body: quoted(ok(packageData)), fields: fields{"id": "PKG-A1B2C3", "cost": "30"}},
			{name: "the body of an error", op: whozex.OpPurchasePackage, status: 400, body: quoted(refusal("INSUFFICIENT_BALANCE", "too low")), is: whozex.ErrInsufficientBalance, code: "INSUFFICIENT_BALANCE", text: "too low"},
			{name: "a text that is none", op: whozex.OpPurchasePackage, body: ok(`"{sold}"`), unknown: true},
		},
	},
	{
		comes: "what is not JSON", wanted: "an error with all of it; the outcome of a purchase is unknown",
		cases: noJSON(
			"a comma before the end", strings.Replace(ok(packageData), "}", ",}", 1),
			"NaN", ok(with(packageData, "used_gb", "1")+" ")+"NaN",
			"a number that is NaN", strings.Replace(ok(packageData), `"used_gb":0`, `"used_gb":NaN`, 1),
			"single quotes", strings.ReplaceAll(ok(packageData), `"`, `'`),
			"a comment", "/* v1 */"+ok(packageData),
			"a call, as JSONP", "callback("+ok(packageData)+");",
			"a guard against inclusion", ")]}',\n"+ok(packageData),
			"a warning of PHP", "<br />\n<b>Warning</b>: Undefined variable in <b>x.php</b> on line <b>7</b><br />\n"+ok(packageData),
			"a page behind it", ok(packageData)+"<!-- generated in 0.01 s -->",
			"two of it", ok(packageData)+ok(packageData),
			"half of it", ok(packageData)[:120],
			"a null byte behind it", ok(packageData)+"\x00",
			"UTF-16", utf16(ok(packageData)),
			"deflate", "\x78\x9c\xab\x56\x2a\x2e\x4d\x4e\x4e\x2d\x2e\x56\xb2\x2a\x29\x2a\x4d\xad\x05\x00\x2a\x0d\x05\x5a",
			"XML", `<?xml version="1.0"?><response><success>true</success></response>`,
			"a page", "<!DOCTYPE html><html><title>Maintenance</title></html>",
			"a word", "OK",
			"a text", `"OK"`,
			"a number", "1",
			"true", "true",
			"null", "null",
			"an empty object", "{}",
			"an empty array", "[]",
			"nothing", "",
			"whitespace", " \r\n",
		),
	},
	{
		comes: "odd bytes around or within JSON", wanted: "read, and named where a byte is no letter",
		cases: []oddCase{
			{name: "whitespace that keeps the connection alive", op: whozex.OpPurchasePackage, body: strings.Repeat("\r\n ", 100) + ok(packageData) + "\n", fields: fields{"id": "PKG-A1B2C3"}},
			{name: "a byte order mark behind whitespace", op: whozex.OpPurchasePackage, body: "\n\ufeff" + ok(packageData), fields: fields{"id": "PKG-A1B2C3"}},
			{name: "another content type", op: whozex.OpPurchasePackage, header: "Content-Type: text/html; charset=iso-8859-1", body: ok(packageData), fields: fields{"id": "PKG-A1B2C3"}},
			{name: "a name in Latin-1", op: whozex.OpCreateUser, body: ok(with(aUser, "name", "\"Jos\xe9\"")), fields: fields{"id": "u1", "name": ""}, unread: []string{"name"}},
			{name: "a password in Latin-1", op: whozex.OpPurchasePackage, body: ok(with(packageData, "evomi_password", "\"p\xe9\"")), fields: fields{"id": "PKG-A1B2C3", "evomi_password": ""}, unread: []string{"evomi_password"}},
			{name: "an id in Latin-1", op: whozex.OpPurchasePackage, body: ok(with(packageData, "id", "\"p\xe9\"")), unknown: true, text: "id"},
			{name: "a field that is not known in Latin-1", op: whozex.OpCreateUser, body: ok(`{"city":"Orl` + "\xe9" + `ans",` + aUser[1:]), fields: fields{"id": "u1", "name": "John"}},
			{name: "a null character in a name", op: whozex.OpCreateUser, body: ok(with(aUser, "name", `"a\u0000b"`)), fields: fields{"name": "a\x00b"}},
			{name: "an emoji in halves", op: whozex.OpCreateUser, body: ok(with(aUser, "name", `"\ud83d\ude00"`)), fields: fields{"name": "\U0001f600"}},
			{name: "gzip twice", op: whozex.OpPurchasePackage, gzip: 2, header: "Content-Encoding: gzip", body: ok(packageData), fields: fields{"id": "PKG-A1B2C3"}},
			{name: "a length that is too large, of a read", op: whozex.OpGetAccount, header: "Content-Length: 9999", body: ok(everything), text: "truncated"},
			{name: "a length that is too large, of a purchase", op: whozex.OpPurchasePackage, header: "Content-Length: 9999", body: ok(packageData), unknown: true, text: "truncated"},
		},
	},
	{
		comes: "a time that is none", wanted: "it is named, and zero",
		cases: noTimes(`"0000-00-00 00:00:00"`, `"/Date(1735732800000)/"`, `{"date":"2025-01-01 12:00:00.000000","timezone_type":3,"timezone":"UTC"}`, `"never"`, `-1`, `0`, `"01/02/2025"`, `{"seconds":1735732800}`, `[2025,1,1]`),
	},
	{
		comes: "an error of other APIs", wanted: "its message is found; without a documented code it names no sentinel but its status's",
		cases: []oddCase{
			{name: "errors by field", op: whozex.OpCreateUser, status: 400, body: `{"success":false,"errors":{"email":["is taken"]}}`, is: whozex.ErrInvalidParams, text: "is taken"},
			{name: "msg", op: whozex.OpPurchasePackage, status: 400, body: `{"success":false,"code":-2010,"msg":"too low"}`, code: "-2010", is: whozex.ErrInvalidParams, text: "too low"},
			{name: "detail", op: whozex.OpGetAccount, status: 404, body: `{"detail":"Not Found"}`, isNot: statusSentinels, text: "Not Found"},
			{name: "a text", op: whozex.OpPurchasePackage, status: 400, body: `{"success":false,"error":"too low"}`, is: whozex.ErrInvalidParams, text: "too low"},
			{name: "a code that is a number", op: whozex.OpPurchasePackage, status: 400, body: `{"success":false,"error":{"code":1003,"message":"too low"}}`, code: "1003", is: whozex.ErrInvalidParams, text: "too low"},
			{name: "success beside an error", op: whozex.OpPurchasePackage, status: 400, body: `{"success":true,"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`, code: "INSUFFICIENT_BALANCE", unknown: true, text: "too low"},
		},
	},
}

type fields = map[string]string

// statusSentinels are the sentinels for a status without a code, in the API's envelope.
var statusSentinels = []error{
	whozex.ErrAPIDisabled, whozex.ErrNotFound, whozex.ErrInvalidAPIKey, whozex.ErrInvalidParams, whozex.ErrEmailTaken, whozex.ErrInsufficientBalance,
}

// refusals are bodies that report a low balance, with each status.
func refusals(statuses []int, bodies ...string) (cases []oddCase) {
	for i, body := range bodies {
		for _, status := range statuses {
			cases = append(cases, oddCase{
				name: fmt.Sprintf("%d under %d", i+1, status), op: whozex.OpPurchasePackage, status: status, body: body,
				is: whozex.ErrInsufficientBalance, code: "INSUFFICIENT_BALANCE", text: "too low",
			})
		}
	}
	return cases
}

// eachStatus returns a read and a mutating call whose first response has the status.
func eachStatus(statuses ...int) (cases []oddCase) {
	for _, status := range statuses {
		cases = append(cases,
			oddCase{name: fmt.Sprintf("%d of a read", status), op: whozex.OpGetAccount, status: status, body: "error code", then: []string{ok(everything)}, fields: fields{"balance": "150"}},
			oddCase{name: fmt.Sprintf("%d of a mutating call", status), op: whozex.OpAddGB, status: status, body: "error code", then: []string{ok(everything)}, is: whozex.ErrServer, unknown: true, requests: 1},
		)
	}
	return cases
}

// marked returns the documented responses of all operations after a byte order mark.
func marked() (cases []oddCase) {
	for _, op := range operations {
		if data, isDocumented := documentedPayloads[op.op]; isDocumented {
			cases = append(cases, oddCase{name: string(op.op), op: op.op, body: "\ufeff" + ok(data), fields: fields{}})
		}
	}
	return cases
}

// times returns responses with a time in each format; all mean noon on 1 January 2025.
func times(texts ...string) (cases []oddCase) {
	const noon = "2025-01-01T12:00:00Z"
	for _, text := range texts {
		cases = append(cases,
			oddCase{name: text + " of the key", op: whozex.OpGetAccount, body: ok(with(everything, "last_used_at", text)), fields: fields{"api_key.last_used_at": noon}},
			oddCase{name: text + " of a package", op: whozex.OpGetPackage, body: ok(with(aPackage, "created_at", text, "expires_at", text)), fields: fields{"created_at": noon, "expires_at": noon}},
			oddCase{name: text + " of a package that was bought", op: whozex.OpPurchasePackage, body: ok(with(packageData, "created_at", text)), fields: fields{"created_at": noon}},
			oddCase{name: text + " of a user", op: whozex.OpCreateUser, body: ok(with(aUser, "created_at", text)), fields: fields{"created_at": noon}},
			oddCase{name: text + " of a user in a list", op: whozex.OpListUsers, body: usersIs("["+with(aUser, "created_at", text)+"]", lastPage), fields: fields{"users[0].created_at": noon}},
			oddCase{name: text + " of a transaction", op: whozex.OpListTransactions, body: ok(`{"transactions":[` + with(aTransaction, "created_at", text) + `],"pagination":` + lastPage + `}`), fields: fields{"transactions[0].created_at": noon}},
		)
	}
	return append(cases, oddCase{
		name: "none", op: whozex.OpGetPackage, body: ok(with(aPackage, "created_at", `"yesterday"`)),
		fields: fields{"created_at": ""}, unread: []string{"created_at"},
	})
}

// amounts returns responses with the balance or the cost of a purchase in other forms.
func amounts(want string, forms ...string) (cases []oddCase) {
	for _, form := range forms {
		cases = append(cases,
			oddCase{name: form + " of a read", op: whozex.OpGetAccount, body: ok(with(everything, "balance", form)), fields: fields{"balance": want}},
			oddCase{name: form + " of a purchase", op: whozex.OpPurchasePackage, body: ok(with(packageData, "cost", form)), fields: fields{"cost": want}},
		)
	}
	return cases
}

func noAmounts(forms ...string) (cases []oddCase) {
	for _, form := range forms {
		cases = append(cases,
			oddCase{name: form + " of a read", op: whozex.OpGetAccount, body: ok(with(everything, "balance", form)), text: "balance"},
			oddCase{name: form + " of a purchase", op: whozex.OpPurchasePackage, body: ok(with(packageData, "cost", form)), fields: fields{"id": "PKG-A1B2C3", "cost": "0"}, unread: []string{"cost"}},
		)
	}
	return cases
}

func noTimes(forms ...string) (cases []oddCase) {
	for _, form := range forms {
		cases = append(cases,
			oddCase{name: form, op: whozex.OpGetPackage, body: ok(with(aPackage, "expires_at", form)), fields: fields{"remaining_gb": "20", "expires_at": ""}, unread: []string{"expires_at"}},
		)
	}
	return cases
}

// noJSON returns the bodies, by name, as responses to a read and to a purchase.
func noJSON(bodies ...string) (cases []oddCase) {
	for i := 0; i < len(bodies); i += 2 {
		cases = append(cases,
			oddCase{name: bodies[i] + " of a read", op: whozex.OpGetAccount, body: bodies[i+1]},
			oddCase{name: bodies[i] + " of a purchase", op: whozex.OpPurchasePackage, body: bodies[i+1], unknown: true},
		)
	}
	return cases
}

func quoted(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// utf16 encodes ASCII as little-endian UTF-16 with a byte order mark.
func utf16(text string) string {
	return "\xff\xfe" + strings.Join(strings.Split(text, ""), "\x00") + "\x00"
}

// usersFrom returns some users of a list.
func usersFrom(from, to int) string {
	var users []string
	for i := range to - from {
		users = append(users, with(aUser, "id", fmt.Sprintf("%q", fmt.Sprint("u", from+i))))
	}
	return "[" + strings.Join(users, ",") + "]"
}

// beside returns one of three pages, with the pagination beside the data.
func beside(from, to, page int) string {
	return fmt.Sprintf(`{"success":true,"data":%s,"pagination":{"total":250,"page":%d,"limit":100,"pages":3,"has_next":%t,"has_prev":false}}`, usersFrom(from, to), page, page < 3)
}
