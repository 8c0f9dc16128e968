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

// examineStored makes the call of a mutating operation to a transport that replies
// with the stored body, so that the response is read as a live one would be.
func examineStored(ctx context.Context, op whozex.Operation, file string) (report, error) {
	body, err := os.ReadFile(file)
	if err != nil {
		return report{}, err
	}
	client, err := whozex.New("wx_live_example", whozex.WithHTTPClient(&http.Client{Transport: replay(body)}))
	if err != nil {
		return report{}, err
	}
	one := decimal.NewFromInt(1)
	asks := map[whozex.Operation]ask{
		whozex.OpRegenerateKey:   of(whozex.OpRegenerateKey, client.RegenerateKey),
		whozex.OpCreateUser:      of(whozex.OpCreateUser, with(client.CreateUser, whozex.CreateUserParams{Email: "john@example.com"})),
		whozex.OpPurchasePackage: of(whozex.OpPurchasePackage, with(with2(client.PurchasePackage, "user"), whozex.PurchasePackageParams{GB: 1})),
		whozex.OpAddGB:           of(whozex.OpAddGB, with(with2(client.AddGB, "package"), whozex.AddGBParams{GB: 1})),
		whozex.OpCreateWebhook: of(whozex.OpCreateWebhook, with(client.CreateWebhook, whozex.CreateWebhookParams{
			URL: "https://example.com", Events: []string{whozex.EventPackageCreated},
		})),
		whozex.OpAddBalance: of(whozex.OpAddBalance, func(ctx context.Context, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return client.AddBalance(ctx, "user", one, "", opts...)
		}),
		whozex.OpDeductBalance: of(whozex.OpDeductBalance, func(ctx context.Context, opts ...whozex.CallOption) (*whozex.BalanceChange, error) {
			return client.DeductBalance(ctx, "user", one, "", opts...)
		}),
	}
	examine, known := asks[op]
	if !known {
		return report{}, fmt.Errorf("-operation must be a mutating one, such as PurchasePackage, not %q", op)
	}
	return report{SDK: whozex.Version, Findings: []finding{examine(ctx)}}, nil
}

// replay replies to every request with a body of status 200.
type replay []byte

func (body replay) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}
