package modeltest

import (
	"testing"

	"github.com/shopspring/decimal"
	"go.uber.org/goleak"

	"github.com/whozex/whozex-go/internal/faulttest"
)

const testKey = "wx_live_example"

const account = `{"id":"r1","name":"Reseller","email":"reseller@example.com","balance":150.00,"is_vip":false,
	"api_key":{"last_used_at":null},"stats":{"packages":1,"sub_users":1,"total_spent":30.00},"pricing":{"custom_price_per_gb":null}}`

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type roundTrip = faulttest.RoundTrip

var reply = faulttest.Reply

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }
