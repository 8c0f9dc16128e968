package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// examineStored makes the call of a mutating operation with a transport that returns
// the stored body, so that it is decoded like a live response.
func examineStored(ctx context.Context, op whozex.Operation, file string) (report, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return report{}, err
	}
	client, err := whozex.New("wx_live_example", whozex.WithHTTPClient(&http.Client{Transport: storedResponse(body)}))
	if err != nil {
		return report{}, err
	}
	one := decimal.NewFromInt(1)
	checks := map[whozex.Operation]check{
		whozex.OpRegenerateKey:   newCheck(whozex.OpRegenerateKey, client.RegenerateKey),
		whozex.OpCreateUser:      newCheck(whozex.OpCreateUser, with(client.CreateUser, whozex.CreateUserParams{Email: "john@example.com"})),
		whozex.OpPurchasePackage: newCheck(whozex.OpPurchasePackage, with(with2(client.PurchasePackage, "user"), whozex.PurchasePackageParams{GB: 1})),
		whozex.OpAddGB:           newCheck(whozex.OpAddGB, with(with2(client.AddGB, "package"), whozex.AddGBParams{GB: 1})),
		whozex.OpCreateWebhook: newCheck(whozex.OpCreateWebhook, with(client.CreateWebhook, whozex.CreateWebhookParams{
			URL: "https://example.com", Events: []string{whozex.EventPackageCreated},
		})),
		whozex.OpAddBalance: newCheck(whozex.OpAddBalance, func(ctx context.Context, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return client.AddBalance(ctx, "user", one, "", opts...)
		}),
		whozex.OpDeductBalance: newCheck(whozex.OpDeductBalance, func(ctx context.Context, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return client.DeductBalance(ctx, "user", one, "", opts...)
		}),
	}
	check, known := checks[op]
	if !known {
		return report{}, fmt.Errorf("-operation must be a mutating operation, such as PurchasePackage, not %q", op)
	}
	return report{SDK: whozex.Version, Findings: []finding{check(ctx)}}, nil
}

// storedResponse is a transport that returns the same body with status 200 for each
// request.
type storedResponse []byte

func (body storedResponse) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}
