package modeltest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"
)

const testKey = "wx_live_example"

const account = `{"id":"r1","name":"Reseller","email":"reseller@example.com","balance":150.00,"is_vip":false,
	"api_key":{"last_used_at":null},"stats":{"packages":1,"sub_users":1,"total_spent":30.00},"pricing":{"custom_price_per_gb":null}}`

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roundTrip is a function as a transport, so that the clock can be virtual.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func reply(req *http.Request, status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: h, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }
