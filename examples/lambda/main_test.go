package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

func TestReceive(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*events.APIGatewayV2HTTPRequest)
		status  int
		logged  string
		handled bool
	}{
		{name: "HTTP API", status: 200, handled: true},
		{name: "base64", status: 200, handled: true, change: func(r *events.APIGatewayV2HTTPRequest) {
			r.Body, r.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(r.Body)), true
		}},
		{name: "base64 without the flag", status: 401, logged: "decoded from base64", change: func(r *events.APIGatewayV2HTTPRequest) {
			r.Body = base64.StdEncoding.EncodeToString([]byte(r.Body))
		}},
		{name: "invalid base64", status: 500, logged: "base64", change: func(r *events.APIGatewayV2HTTPRequest) { r.IsBase64Encoded = true }},
		{name: "REST API headers", status: 200, handled: true, change: func(r *events.APIGatewayV2HTTPRequest) {
			r.Headers = map[string]string{webhookverify.SignatureHeader: r.Headers["x-whozex-signature"]}
		}},
		{name: "several signatures", status: 401, logged: "malformed", change: func(r *events.APIGatewayV2HTTPRequest) {
			r.Headers["x-whozex-signature"] += "," + r.Headers["x-whozex-signature"]
		}},
		{name: "unsigned", status: 401, logged: "no signature", change: func(r *events.APIGatewayV2HTTPRequest) { r.Headers = nil }},
		{name: "changed body", status: 401, logged: "mismatch", change: func(r *events.APIGatewayV2HTTPRequest) {
			r.Body = strings.Replace(r.Body, "20", "21", 1)
		}},
		{name: "GET", status: 405, logged: "not a POST", change: func(r *events.APIGatewayV2HTTPRequest) { r.RequestContext.HTTP.Method = "GET" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := gatewayRequest(demoSecret)
			require.NoError(t, err)
			if tt.change != nil {
				tt.change(&req)
			}
			verifier, err := webhookverify.New(demoSecret)
			require.NoError(t, err)
			var log bytes.Buffer
			handled := false
			r := receiver{verifier, slog.New(slog.NewTextHandler(&log, nil)), func(context.Context, *webhookverify.Event) error {
				handled = true
				return nil
			}}
			response, err := r.receive(t.Context(), req)
			require.NoError(t, err)
			assert.Equal(t, tt.status, response.StatusCode)
			assert.Equal(t, tt.handled, handled)
			assert.Contains(t, log.String(), tt.logged)
		})
	}
}

func TestDemo(t *testing.T) {
	var stdout bytes.Buffer
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "")
	require.NoError(t, run(t.Context(), &stdout))
	for _, line := range []string{"first   200\n", "again   200\n", "base64  200\n", "forged  401\n"} {
		assert.Contains(t, stdout.String(), line)
	}
	assert.Equal(t, 1, strings.Count(stdout.String(), "package created"))
}

func TestRun_InvalidSettings(t *testing.T) {
	t.Setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
	t.Setenv("WHOZEX_WEBHOOK_SECRET", "")
	require.ErrorIs(t, run(t.Context(), new(bytes.Buffer)), webhookverify.ErrInvalidSecret)
	t.Setenv("REDIS_URL", "redis://app:hunter2/@localhost")
	err := run(t.Context(), new(bytes.Buffer))
	require.ErrorContains(t, err, "URL")
	assert.NotContains(t, err.Error(), "hunter2")
}
