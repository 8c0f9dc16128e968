package whozex_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// replying returns a client of a server that gives every request this response.
func replying(t *testing.T, status int, body string, opts ...whozex.Option) *whozex.Client {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, status, body) }, append(opts, whozex.WithMaxRetries(0))...)
}

// with is packageData with other values of some fields.
func with(data string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		at := strings.Index(data, `"`+pairs[i]+`":`)
		if at < 0 {
			panic(pairs[i])
		}
		rest := data[at:]
		end := strings.IndexAny(rest, ",}")
		data = data[:at] + fmt.Sprintf("%q:%s", pairs[i], pairs[i+1]) + rest[end:]
	}
	return data
}

const onePage = `{"total":1,"page":1,"limit":20,"pages":1,"has_next":false,"has_prev":false}`

func TestResponsesThatDifferInSmallWays(t *testing.T) {
	aUser := `{"id":"u1","name":"John","email":"john@example.com","balance":5.00,"package_count":0,"created_at":"2025-01-01T12:00:00.000Z"}`
	buy := func(t *testing.T, body string) (*whozex.Package, error) {
		return replying(t, 200, body).PurchasePackage(t.Context(), "u1", whozex.PurchasePackageParams{GB: 20})
	}
	bought := func(t *testing.T, body string) *whozex.Package {
		t.Helper()
		p, err := buy(t, body)
		require.NoError(t, err)
		return p
	}
	created := func(t *testing.T, body string) *whozex.User {
		t.Helper()
		u, err := replying(t, 200, body).CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@example.com"})
		require.NoError(t, err)
		return u
	}
	got := func(t *testing.T, body string) (*whozex.Package, error) {
		return replying(t, 200, body).GetPackage(t.Context(), "PKG-1")
	}
	users := func(t *testing.T, body string) *whozex.Page[whozex.User] {
		t.Helper()
		p, err := replying(t, 200, body).ListUsers(t.Context(), whozex.ListUsersParams{})
		require.NoError(t, err)
		return p
	}
	for _, test := range []struct {
		name  string
		check func(t *testing.T)
	}{
		{name: "an id that is a number, of a user", check: func(t *testing.T) {
			assert.Equal(t, "423774377", created(t, ok(with(aUser, "id", "423774377"))).ID)
		}},
		{name: "an id that is a number, of a package", check: func(t *testing.T) {
			assert.Equal(t, "423774377", bought(t, ok(with(packageData, "id", "423774377"))).ID)
		}},
		{name: "an id that is a number, of a webhook", check: func(t *testing.T) {
			hook, err := replying(t, 200, ok(`{"id":423774377,"url":"https://example.com","events":[],"secret":"s","note":""}`)).
				CreateWebhook(t.Context(), whozex.CreateWebhookParams{URL: "https://example.com", Events: []string{"e"}})
			require.NoError(t, err)
			assert.Equal(t, "423774377", hook.ID)
			assert.Empty(t, hook.Unread())
		}},
		{name: "an id that is a number, of a transaction", check: func(t *testing.T) {
			page, err := replying(t, 200, ok(`{"transactions":[{"id":423774377,"amount":1,"created_at":1735732800}]}`)).
				ListTransactions(t.Context(), whozex.ListTransactionsParams{})
			require.NoError(t, err)
			assert.Equal(t, "423774377", page.Items[0].ID)
			assert.True(t, time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC).Equal(page.Items[0].CreatedAt))
		}},
		{name: "odd fields of a purchase that succeeded", check: func(t *testing.T) {
			p := bought(t, ok(with(packageData, "status", "1", "used_gb", `""`, "remaining_gb", "[]", "evomi_username", "true")))
			assert.Equal(t, "PKG-A1B2C3", p.ID)
			assert.Equal(t, whozex.Secret("wxp1a2b3c4d5e6f7a8"), p.EvomiPassword)
			assertMoney(t, "30", p.Cost)
			assert.Equal(t, "1", p.Status)
			assert.Equal(t, []string{"evomi_username", "remaining_gb", "used_gb"}, p.Unread())
		}},
		{name: "a purchase without the balance after it", check: func(t *testing.T) {
			p := bought(t, ok(strings.Replace(packageData, `"user_balance_after":20.00,`, "", 1)))
			assert.Equal(t, []string{"user_balance_after"}, p.Unread())
		}},
		{name: "an empty custom price", check: func(t *testing.T) {
			pricing, err := replying(t, 200, ok(`{"is_vip":1,"custom_price_per_gb":"","plans":[{"gb":"12","label":"","standard_price":1,"vip_price":1,"your_price":1,"total_cost":12}]}`)).
				GetPricing(t.Context())
			require.NoError(t, err)
			assert.False(t, pricing.CustomPricePerGB.Valid)
			assert.True(t, pricing.IsVIP)
			assert.Equal(t, 12, pricing.Plans[0].GB)
			assert.Empty(t, pricing.Unread())
		}},
		{name: "counts that are 12.0 and text, and a boolean that is text", check: func(t *testing.T) {
			account, err := replying(t, 200, ok(with(everything, "packages", "12.0", "sub_users", `"12"`, "is_vip", `"true"`))).GetAccount(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 12, account.Stats.Packages)
			assert.Equal(t, 12, account.Stats.SubUsers)
			assert.True(t, account.IsVIP)
		}},
		{name: "a wrapped package", check: func(t *testing.T) {
			assert.Equal(t, "PKG-A1B2C3", bought(t, ok(`{"package":`+packageData+`}`)).ID)
		}},
		{name: "a wrapped user", check: func(t *testing.T) {
			assertMoney(t, "5", created(t, ok(`{"user":`+aUser+`}`)).Balance)
		}},
		{name: "a wrapped package with live beside it", check: func(t *testing.T) {
			p, err := got(t, ok(`{"package":{"remaining_gb":18.5},"live":true}`))
			require.NoError(t, err)
			assertMoney(t, "18.5", p.RemainingGB)
			assert.True(t, p.Live)
			assert.Equal(t, "PKG-1", p.ID, "the caller has named it")
		}},
		{name: "live that is 1", check: func(t *testing.T) {
			p, err := got(t, ok(`{"remaining_gb":"18.5","live":1}`))
			require.NoError(t, err)
			assert.True(t, p.Live)
		}},
		{name: "nothing in the data of a purchase", check: func(t *testing.T) {
			_, err := buy(t, ok("{}"))
			assert.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
		}},
		{name: "nothing in the data of a read", check: func(t *testing.T) {
			_, err := got(t, ok("{}"))
			assert.ErrorContains(t, err, "remaining_gb")
		}},
		{name: "GB that are null", check: func(t *testing.T) {
			_, err := got(t, ok(`{"id":"PKG-1","remaining_gb":null,"live":true}`))
			assert.ErrorContains(t, err, "remaining_gb")
		}},
		{name: "a balance under another name, of one user in a list", check: func(t *testing.T) {
			_, err := replying(t, 200, ok(`{"users":[`+aUser+`,`+strings.Replace(aUser, "balance", "credit", 1)+`]}`)).
				ListUsers(t.Context(), whozex.ListUsersParams{})
			assert.ErrorContains(t, err, "users[1].balance")
		}},
		{name: "an amount with two meanings", check: func(t *testing.T) {
			_, err := replying(t, 200, ok(with(everything, "balance", `"1,220.00"`))).GetAccount(t.Context())
			assert.ErrorContains(t, err, "balance")
		}},
		{name: "an amount that would fill the memory", check: func(t *testing.T) {
			_, err := replying(t, 200, ok(with(everything, "balance", `1e999999999`))).GetAccount(t.Context())
			assert.ErrorContains(t, err, "balance")
		}},
		{name: "a list alone", check: func(t *testing.T) {
			page := users(t, ok(`[`+aUser+`]`))
			assert.Equal(t, "u1", page.Items[0].ID)
			assert.JSONEq(t, aUser, string(page.Items[0].RawJSON()))
		}},
		{name: "an empty object for a list", check: func(t *testing.T) { assert.Empty(t, users(t, ok(`{"users":{},"pagination":[]}`)).Items) }},
		{name: "null for a list", check: func(t *testing.T) { assert.Empty(t, users(t, ok(`{"users":null}`)).Items) }},
		{name: "no list", check: func(t *testing.T) {
			_, err := replying(t, 200, ok(`{"pagination":{"total":47,"page":1,"limit":20,"pages":3,"has_next":true,"has_prev":false}}`)).
				ListUsers(t.Context(), whozex.ListUsersParams{})
			assert.ErrorContains(t, err, "no list")
		}},
		{name: "a list of the name of another", check: func(t *testing.T) {
			page, err := replying(t, 200, ok(`{"users":[],"transactions":[{"id":"t1"}],"pagination":`+onePage+`}`)).
				ListTransactions(t.Context(), whozex.ListTransactionsParams{})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)
			assert.Equal(t, `{"id":"t1"}`, string(page.Items[0].RawJSON()))
		}},
		{name: "other lists beside", check: func(t *testing.T) {
			page := users(t, ok(`{"filters":[1],"Users":[`+aUser+`],"tags":[],"pagination":`+onePage+`}`))
			assert.Equal(t, aUser, string(page.Items[0].RawJSON()))
		}},
		{name: "a list that stands twice", check: func(t *testing.T) {
			page := users(t, ok(`{"users":[],"users":[`+aUser+`],"pagination":`+onePage+`}`))
			require.Len(t, page.Items, 1)
			assert.Equal(t, aUser, string(page.Items[0].RawJSON()))
		}},
		{name: "pagination in text", check: func(t *testing.T) {
			page := users(t, ok(`{"users":[`+aUser+`],"pagination":{"total":"1","page":"1","limit":"20","pages":"1","has_next":"false","has_prev":0}}`))
			assert.Equal(t, whozex.Pagination{Total: 1, Page: 1, Limit: 20, Pages: 1}, page.Pagination)
		}},
		{name: "pagination without has_next", check: func(t *testing.T) {
			assert.True(t, users(t, ok(`{"users":[`+aUser+`],"pagination":{"total":45,"page":1,"limit":20,"pages":3}}`)).Pagination.HasNext)
		}},
		{name: "pagination beside the data", check: func(t *testing.T) {
			page := users(t, `{"success":true,"data":[`+aUser+`],"pagination":{"total":45,"page":1,"limit":20,"pages":3,"has_next":true,"has_prev":false}}`)
			assert.True(t, page.Pagination.HasNext)
			assert.Equal(t, 45, page.Pagination.Total)
		}},
		{name: "a byte order mark", check: func(t *testing.T) {
			assert.Equal(t, "PKG-A1B2C3", bought(t, "\ufeff"+ok(packageData)).ID)
		}},
		{name: "success in text", check: func(t *testing.T) {
			assert.Equal(t, "PKG-A1B2C3", bought(t, `{"success":"true","data":`+packageData+`}`).ID)
		}},
	} {
		t.Run(test.name, test.check)
	}
}

func TestErrorsInAnyForm(t *testing.T) {
	for _, body := range []string{
		`{"success":0,"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
		`{"success":"false","error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
		`{"success":false,"error":[{"code":"INSUFFICIENT_BALANCE","message":"too low"}]}`,
		`{"success":false,"errors":[{"code":"INSUFFICIENT_BALANCE","message":"too low"}]}`,
		`{"success":false,"code":"INSUFFICIENT_BALANCE","message":"too low"}`,
		`{"success":false,"error":"INSUFFICIENT_BALANCE","message":"too low"}`,
		`{"success":false,"error":{"code":"insufficient_balance","message":"too low"}}`,
		`{"success":false,"error":{"code":"INSUFFICIENT_BALANCE","message":{"balance":["too low"]}}}`,
		`{"success":false,"error":{"code":"INSUFFICIENT_BALANCE"},"message":"too low"}`,
		"\ufeff" + `{"success":false,"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
		`{"error":{"code":"INSUFFICIENT_BALANCE","message":"too low"}}`,
	} {
		for _, status := range []int{200, 400, 500} {
			t.Run(fmt.Sprintf("%d %s", status, body), func(t *testing.T) {
				_, err := replying(t, status, body).PurchasePackage(t.Context(), "u1", whozex.PurchasePackageParams{GB: 1})
				assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
				assert.ErrorIs(t, err, whozex.ErrInsufficientBalance)
				apiErr, ok := errors.AsType[*whozex.Error](err)
				require.True(t, ok)
				assert.Equal(t, "INSUFFICIENT_BALANCE", apiErr.Code)
				assert.Contains(t, apiErr.Message, "too low")
				assert.Equal(t, body, string(apiErr.Body))
			})
		}
	}
}

func TestAStatusNamesASentinelOnlyInTheAPIsEnvelope(t *testing.T) {
	for _, test := range []struct {
		name     string
		status   int
		body     string
		sentinel error
		want     bool
	}{
		{name: "a challenge page", status: 403, body: "<html>Just a moment...</html>", sentinel: whozex.ErrAPIDisabled},
		{name: "a proxy's page", status: 404, body: "<html>404 Not Found</html>", sentinel: whozex.ErrNotFound},
		{name: "a proxy's login", status: 401, body: "", sentinel: whozex.ErrInvalidAPIKey},
		{name: "JSON of a gateway", status: 404, body: `{"message":"no Route matched with those values"}`, sentinel: whozex.ErrNotFound},
		{name: "JSON of a gateway with a code", status: 403, body: `{"code":403,"message":"blocked"}`, sentinel: whozex.ErrAPIDisabled},
		{name: "an error object of a gateway", status: 404, body: `{"error":{"code":"ResourceNotFound","message":"no API"}}`, sentinel: whozex.ErrNotFound},
		{name: "text", status: 404, body: `"gone"`, sentinel: whozex.ErrNotFound},
		{name: "a documented code without the rest", status: 404, body: `{"error":{"code":"NOT_FOUND"}}`, sentinel: whozex.ErrNotFound, want: true},
		{name: "the API's envelope", status: 404, body: refusal("GONE", "no such user"), sentinel: whozex.ErrNotFound, want: true},
		{name: "a bad gateway", status: 502, body: "<html>", sentinel: whozex.ErrServer, want: true},
		{name: "a proxy's limit", status: 429, body: "<html>", sentinel: whozex.ErrRateLimited, want: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := replying(t, test.status, test.body).GetAccount(t.Context())
			apiErr, ok := errors.AsType[*whozex.Error](err)
			require.True(t, ok, err)
			assert.Equal(t, test.status, apiErr.StatusCode)
			assert.Equal(t, test.want, errors.Is(err, test.sentinel))
		})
	}
	assert.ErrorIs(t, &whozex.Error{StatusCode: 404}, whozex.ErrNotFound, "as a program's own tests build it")
}

func TestTimesInAnyForm(t *testing.T) {
	noon := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		`1735732800`, `1735732800000`, `"1735732800"`, `1735732800.0`, `"2025-01-01T12:00:00+0000"`, `"2025-01-01T12:00:00"`,
		`"2025-01-01 12:00:00"`, `"2025-01-01 14:00:00+02:00"`, `"2025-01-01T12:00:00.000000Z"`, `"Wed, 01 Jan 2025 12:00:00 GMT"`,
	} {
		t.Run(text, func(t *testing.T) {
			client := replying(t, 200, ok(with(everything, "last_used_at", text, "created_at", text, "expires_at", text)))
			account, err := client.GetAccount(t.Context())
			require.NoError(t, err)
			assert.True(t, noon.Equal(account.APIKey.LastUsedAt), account.APIKey.LastUsedAt)
			p, err := client.GetPackage(t.Context(), "p")
			require.NoError(t, err)
			assert.True(t, noon.Equal(p.CreatedAt) && noon.Equal(p.ExpiresAt))
			assert.Empty(t, p.Unread())
		})
	}
	p, err := replying(t, 200, ok(with(everything, "created_at", `"yesterday"`))).GetPackage(t.Context(), "p")
	require.NoError(t, err)
	assert.True(t, p.CreatedAt.IsZero())
	assert.Equal(t, []string{"created_at"}, p.Unread())
}

func TestReadsAreRetriedAfterTheStatusesOfProxies(t *testing.T) {
	for _, status := range []int{500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 529, 530, 599} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var requests int
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if requests++; requests == 1 {
					answer(w, status, "error code")
					return
				}
				answer(w, 200, ok(everything))
			})
			_, err := client.GetAccount(t.Context())
			require.NoError(t, err)
			requests = 0
			_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			assert.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
			assert.Equal(t, 1, requests)
		})
	}
}

func TestACompressedResponseThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	compressed := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.String()
	}
	client := func(body string, opts ...whozex.Option) *whozex.Client {
		transport := &http.Transport{DisableCompression: true}
		t.Cleanup(transport.CloseIdleConnections)
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Empty(t, r.Header.Get("Accept-Encoding"))
			w.Header().Set("Content-Encoding", "gzip")
			answer(w, 200, body)
		}, append(opts, whozex.WithHTTPClient(&http.Client{Transport: transport}), whozex.WithMaxRetries(0))...)
	}
	account, err := client(compressed(ok(everything))).GetAccount(t.Context())
	require.NoError(t, err)
	assertMoney(t, "150", account.Balance)

	_, err = client(compressed(ok(with(everything, "name", `"`+strings.Repeat("x", 10<<20)+`"`))), whozex.WithMaxResponseBytes(1<<20)).GetAccount(t.Context())
	tooLong, isResponse := errors.AsType[*whozex.ResponseError](err)
	require.True(t, isResponse, err)
	assert.Len(t, tooLong.Body, 1<<20)

	whole := compressed(ok(everything))
	_, err = client(whole[:len(whole)/2]).GetAccount(t.Context())
	assert.Error(t, err)
	account, err = client(ok(everything)).GetAccount(t.Context())
	require.NoError(t, err, "only the header says gzip")
	assertMoney(t, "150", account.Balance)

	corrupt := whole[:len(whole)-8] + "checksum"
	_, err = client(corrupt).PurchasePackage(t.Context(), "u1", whozex.PurchasePackageParams{GB: 1})
	unknown, isUnknown := errors.AsType[*whozex.OutcomeUnknownError](err)
	require.True(t, isUnknown, err)
	assert.Equal(t, corrupt, string(unknown.Body))
}

func TestConnectionStrings(t *testing.T) {
	for _, test := range []struct{ name, text, host, password string }{
		{name: "a name", text: "rp.evomi.com:1000:u:p", host: "rp.evomi.com:1000", password: "p"},
		{name: "a password with marks", text: "rp.evomi.com:1000:u:p:/#%@_country-TR", host: "rp.evomi.com:1000", password: "p:/#%@_country-TR"},
		{name: "an IPv6 address", text: "[2001:db8::1]:1000:u:p", host: "[2001:db8::1]:1000", password: "p"},
		{name: "no port", text: "rp.evomi.com:u:p"},
		{name: "port 0", text: "rp.evomi.com:0:u:p"},
		{name: "an open bracket", text: "[2001:db8::1:1000:u:p"},
		{name: "no host", text: ":1000:u:p"},
		{name: "no password", text: "rp.evomi.com:1000:u:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			credentials, err := replying(t, 200, ok(fmt.Sprintf(`{"username":"u","password":"p","http":{"host":"h","port":"1000","connection_string":%q},
				"socks5":{"host":"h","port":1002,"connection_string":"h:1002:u:p"},"targeting":{"country":"TR","city":null}}`, test.text))).
				GetCredentials(t.Context(), "p", whozex.Targeting{})
			require.NoError(t, err)
			assert.Equal(t, 1000, credentials.HTTP.Port)
			assert.Empty(t, credentials.Unread())
			proxy, err := credentials.HTTPProxyURL()
			if test.host == "" {
				assert.Error(t, err)
				return
			}
			require.NoError(t, err)
			password, _ := proxy.User.Password()
			assert.Equal(t, test.host, proxy.Host)
			assert.Equal(t, test.password, password)
		})
	}
}
