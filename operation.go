package whozex

import (
	"context"
	"net/http"

	"github.com/whozex/whozex-go/internal/wire"
)

// Operation names a call: the method of [Client] that makes it, such as
// "PurchasePackage", or for [Client.Do] its HTTP method and path. It appears
// in errors, logs and the fake server's request log.
type Operation string

// The operations of the API, all documented.
const (
	OpGetAccount           Operation = "GetAccount"
	OpGetAccountStats      Operation = "GetAccountStats"
	OpListTransactions     Operation = "ListTransactions"
	OpRegenerateKey        Operation = "RegenerateKey"
	OpListUsers            Operation = "ListUsers"
	OpCreateUser           Operation = "CreateUser"
	OpAddBalance           Operation = "AddBalance"
	OpDeductBalance        Operation = "DeductBalance"
	OpPurchasePackage      Operation = "PurchasePackage"
	OpGetPackage           Operation = "GetPackage"
	OpAddGB                Operation = "AddGB"
	OpGetCredentials       Operation = "GetCredentials"
	OpGetUsage             Operation = "GetUsage"
	OpGetPricing           Operation = "GetPricing"
	OpCalculatePrice       Operation = "CalculatePrice"
	OpGetAnalyticsOverview Operation = "GetAnalyticsOverview"
	OpCreateWebhook        Operation = "CreateWebhook"
)

// mutates reports whether a request with this method may change anything.
func mutates(method string) bool {
	return method != http.MethodGet && method != http.MethodHead
}

// OperationFromContext returns the operation that a request belongs to and the number of
// its attempt, from 1, for middleware given by [WithMiddleware] and for transports beneath
// it. It returns "" and 0 for any other context.
func OperationFromContext(ctx context.Context) (op Operation, attempt int) {
	if a := wire.FromContext(ctx); a != nil {
		return Operation(a.Operation), a.Number
	}
	return "", 0
}
