package bench

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"
)

const accountBody = `{"success":true,"data":{"id":"00000000-0000-4000-8000-000000000000","name":"Reseller Name","email":"you@example.com",` +
	`"balance":150.00,"is_vip":true,"api_key":{"last_used_at":"2025-01-01T10:00:00.000Z"},"stats":{"packages":24,"sub_users":8,"total_spent":340.00},` +
	`"pricing":{"custom_price_per_gb":0.90}},"meta":{"timestamp":"2025-01-01T12:00:00.000Z","version":"1.0.0"}}`

// usersBody returns a page with 100 users.
func usersBody() []byte {
	var b bytes.Buffer
	b.WriteString(`{"success":true,"data":{"users":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"00000000-0000-4000-8000-%012d","name":"User %d","email":"user%d@example.com","balance":%d.50,"package_count":1,"created_at":"2025-01-01T12:00:00.000Z"}`, i, i, i, i)
	}
	b.WriteString(`],"pagination":{"total":100,"page":1,"limit":100,"pages":1,"has_next":false,"has_prev":false}},"meta":{"timestamp":"2025-01-01T12:00:00.000Z","version":"1.0.0"}}`)
	return b.Bytes()
}

var api = responses{"/account": []byte(accountBody), "/users": usersBody()}

// BenchmarkCall measures one call: in process for the cost of the client itself, and
// over loopback for its share in practice.
func BenchmarkCall(b *testing.B) {
	server := httptest.NewServer(api)
	defer server.Close()
	for _, mode := range []struct {
		name        string
		batchLength time.Duration
		sites       []site
	}{
		{name: "in process", batchLength: inProcessBatch, sites: sites(b, "http://127.0.0.1", api)},
		{name: "loopback", batchLength: loopbackBatch, sites: sites(b, server.URL, nil)},
	} {
		b.Run("account/"+mode.name, func(b *testing.B) {
			compareSites(b, mode.batchLength, mode.sites, func(s site) (any, error) {
				account, err := s.account(b.Context())
				if err == nil && account.Balance.String() != "150" {
					err = fmt.Errorf("balance %s", account.Balance)
				}
				return account, err
			})
		})
		b.Run("users/"+mode.name, func(b *testing.B) {
			compareSites(b, mode.batchLength, mode.sites, func(s site) (any, error) {
				users, err := s.users(b.Context(), 1)
				if err == nil && len(users) != 100 {
					err = fmt.Errorf("%d users", len(users))
				}
				return users, err
			})
		})
	}
}

func compareSites(b *testing.B, batchLength time.Duration, sites []site, call func(site) (any, error)) {
	contenders := make([]contender, len(sites))
	for i, s := range sites {
		contenders[i] = contender{s.name, func() {
			if _, err := call(s); err != nil {
				b.Fatalf("%s: %v", s.name, err)
			}
		}}
	}
	compare(b, batchLength, contenders[0], contenders[1:]...)
}
