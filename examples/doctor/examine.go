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

// finding is the result of one call.
type finding struct {
	Operation   whozex.Operation   `json:"operation"`
	Status      int                `json:"status"`
	Failed      string             `json:"failed,omitempty"`
	Differences []shape.Difference `json:"differences"`
	// Unread are the paths that the SDK could not read. It has converted the values of
	// the other differences.
	Unread []string `json:"unread,omitempty"`
	// Shape is the response with types instead of values.
	Shape any `json:"shape,omitempty"`
}

// check makes a call and compares its response with the type that it is decoded into.
type check func(context.Context) finding

func examine(ctx context.Context, client *whozex.Client, packageID string) report {
	checks := []check{
		newCheck(whozex.OpGetAccount, client.GetAccount),
		newCheck(whozex.OpGetAccountStats, client.GetAccountStats),
		newCheck(whozex.OpListTransactions, with(client.ListTransactions, whozex.ListTransactionsParams{Limit: 100})),
		newCheck(whozex.OpListUsers, with(client.ListUsers, whozex.ListUsersParams{Limit: 100})),
		newCheck(whozex.OpGetPricing, client.GetPricing),
		newCheck(whozex.OpCalculatePrice, with(client.CalculatePrice, 50)),
		newCheck(whozex.OpGetAnalyticsOverview, client.GetAnalyticsOverview),
	}
	if packageID != "" {
		checks = append(checks,
			newCheck(whozex.OpGetPackage, with(client.GetPackage, packageID)),
			newCheck(whozex.OpGetCredentials, with(with2(client.GetCredentials, packageID), whozex.Targeting{Country: "US"})),
			newCheck(whozex.OpGetUsage, with(with2(client.GetUsage, packageID), whozex.UsageParams{})),
		)
	}
	r := report{SDK: whozex.Version}
	for _, check := range checks {
		r.Findings = append(r.Findings, check(ctx))
	}
	return r
}

// with returns call with its parameter set to p.
func with[P, T any](call func(context.Context, P, ...whozex.CallOption) (*T, error), p P) func(context.Context, ...whozex.CallOption) (*T, error) {
	return func(ctx context.Context, opts ...whozex.CallOption) (*T, error) { return call(ctx, p, opts...) }
}

// with2 returns call with its first parameter set to p.
func with2[P, Q, T any](call func(context.Context, P, Q, ...whozex.CallOption) (*T, error), p P) func(context.Context, Q, ...whozex.CallOption) (*T, error) {
	return func(ctx context.Context, q Q, opts ...whozex.CallOption) (*T, error) {
		return call(ctx, p, q, opts...)
	}
}

func newCheck[T any](op whozex.Operation, call func(context.Context, ...whozex.CallOption) (*T, error)) check {
	return func(ctx context.Context) finding {
		var response whozex.Response
		result, err := call(ctx, whozex.CaptureResponse(&response))
		f := finding{Operation: op, Status: response.StatusCode}
		var responseErr *whozex.ResponseError
		if err != nil && !errors.As(err, &responseErr) {
			f.Failed = errorClass(err, response.StatusCode)
			return f
		}
		f.compare(response.Body, reflect.TypeFor[T]())
		if err != nil {
			f.Failed = "the response cannot be decoded: " + responseErr.Err.Error()
			return f
		}
		f.Unread = any(result).(interface{ Unread() []string }).Unread()
		return f
	}
}

// compare compares the data and the meta object of a response with their types.
func (f *finding) compare(body []byte, t reflect.Type) {
	var envelope struct {
		Data json.RawMessage `json:"data"`
		Meta json.RawMessage `json:"meta"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Data == nil {
		f.Failed = "the response has no envelope"
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

// errorClass describes an error without its text, which may contain values that were
// sent or received.
func errorClass(err error, status int) string {
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
	return "no response"
}
