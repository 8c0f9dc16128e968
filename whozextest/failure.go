package whozextest

import (
	"fmt"
	"net/http"

	"github.com/shopspring/decimal"
)

// failure is a response with an error. Its code is empty where none is
// documented.
type failure struct {
	status        int
	code, message string
	header        http.Header
}

func missingField(name string) *failure {
	return &failure{status: http.StatusBadRequest, code: "MISSING_FIELD", message: name + " is required"}
}

func invalidParam(format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, code: "INVALID_PARAMS", message: fmt.Sprintf(format, args...)}
}

func notFound(what string) *failure {
	return &failure{status: http.StatusNotFound, code: "NOT_FOUND", message: what + " not found"}
}

func insufficient(whose string, balance, cost decimal.Decimal) *failure {
	return &failure{
		status: http.StatusPaymentRequired, code: "INSUFFICIENT_BALANCE",
		message: fmt.Sprintf("%s balance ($%s) is insufficient. Cost: $%s", whose, money(balance), money(cost)),
	}
}

func wrongMethod(allowed []string) *failure {
	return &failure{
		status: http.StatusMethodNotAllowed, message: "Method not allowed",
		header: http.Header{"Allow": allowed},
	}
}

func tooManyRequests(retryAfter string) *failure {
	f := &failure{status: http.StatusTooManyRequests, message: "Too many requests"}
	if retryAfter != "" {
		f.header = http.Header{"Retry-After": {retryAfter}}
	}
	return f
}
