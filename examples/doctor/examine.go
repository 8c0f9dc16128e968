package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/internal/shape"
)

// finding is what came of one call.
type finding struct {
	Operation   whozex.Operation   `json:"operation"`
	Status      int                `json:"status"`
	Failed      string             `json:"failed,omitempty"`
	Differences []shape.Difference `json:"differences"`
	// Unread are the paths that the SDK could not read. Where a difference is not
	// among them, it has converted the value.
	Unread []string `json:"unread,omitempty"`
	// Shape is the response with types in the place of values.
	Shape any `json:"shape,omitempty"`
}

// ask makes a call and holds its response against the type that it decodes into.
type ask func(context.Context) finding

func examine(ctx context.Context, client *whozex.Client, packageID string) report {
	asks := []ask{
		of(whozex.OpGetAccount, client.GetAccount),
		of(whozex.OpGetAccountStats, client.GetAccountStats),
		of(whozex.OpListTransactions, with(client.ListTransactions, whozex.ListTransactionsParams{Limit: 100})),
		of(whozex.OpListUsers, with(client.ListUsers, whozex.ListUsersParams{Limit: 100})),
		of(whozex.OpGetPricing, client.GetPricing),
		of(whozex.OpCalculatePrice, with(client.CalculatePrice, 50)),
		of(whozex.OpGetAnalyticsOverview, client.GetAnalyticsOverview),
	}
	if packageID != "" {
		asks = append(asks,
			of(whozex.OpGetPackage, with(client.GetPackage, packageID)),
			of(whozex.OpGetCredentials, with(with2(client.GetCredentials, packageID), whozex.Targeting{Country: "US"})),
			of(whozex.OpGetUsage, with(with2(client.GetUsage, packageID), whozex.UsageParams{})),
		)
	}
	r := report{SDK: whozex.Version}
	for _, ask := range asks {
		r.Findings = append(r.Findings, ask(ctx))
	}
	return r
}

func with[P, T any](call func(context.Context, P, ...whozex.CallOption) (*T, error), p P) func(context.Context, ...whozex.CallOption) (*T, error) {
	return func(ctx context.Context, opts ...whozex.CallOption) (*T, error) { return call(ctx, p, opts...) }
}

func with2[P, Q, T any](call func(context.Context, P, Q, ...whozex.CallOption) (*T, error), p P) func(context.Context, Q, ...whozex.CallOption) (*T, error) {
	return func(ctx context.Context, q Q, opts ...whozex.CallOption) (*T, error) {
		return call(ctx, p, q, opts...)
	}
}

func of[T any](op whozex.Operation, call func(context.Context, ...whozex.CallOption) (*T, error)) ask {
	return func(ctx context.Context) finding {
		var response whozex.Response
		result, err := call(ctx, whozex.CaptureResponse(&response))
		f := finding{Operation: op, Status: response.StatusCode}
		var unreadable *whozex.ResponseError
		if err != nil && !errors.As(err, &unreadable) {
			f.Failed = why(err, response.StatusCode)
			return f
		}
		f.hold(response.Body, reflect.TypeFor[T]())
		if err != nil {
			f.Failed = "the response cannot be read: " + unreadable.Err.Error()
			return f
		}
		f.Unread = any(result).(interface{ Unread() []string }).Unread()
		return f
	}
}

// hold compares a response's data and what stands beside it.
func (f *finding) hold(body []byte, t reflect.Type) {
	var envelope struct {
		Data json.RawMessage `json:"data"`
		Meta json.RawMessage `json:"meta"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Data == nil {
		f.Failed = "the answer is no envelope"
		return
	}
	var err error
	if f.Differences, err = shape.Compare(envelope.Data, t, string(f.Operation)); err != nil {
		f.Failed = "the data is not JSON"
		return
	}
	meta, err := shape.Compare(envelope.Meta, reflect.TypeFor[whozex.Meta](), string(f.Operation))
	if err != nil {
		meta = []shape.Difference{{Kind: shape.Missing, Want: "object"}}
	}
	for _, d := range meta {
		d.Path = "(meta)." + d.Path
		f.Differences = append(f.Differences, d)
	}
	f.Shape, _ = shape.Describe(envelope.Data, t, string(f.Operation))
}

// why tells the class of an error, without the text, which may hold what was
// sent or received.
func why(err error, status int) string {
	for _, class := range []error{
		whozex.ErrMissingAPIKey, whozex.ErrInvalidAPIKey, whozex.ErrAPIDisabled, whozex.ErrNotFound,
		whozex.ErrRateLimited, whozex.ErrServer, whozex.ErrMissingField, whozex.ErrInvalidParams, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, class) {
			return class.Error()
		}
	}
	if status != 0 {
		return fmt.Sprintf("status %d", status)
	}
	return "no answer"
}
