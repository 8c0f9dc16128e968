package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

const demoSecret = "wxsec_example"

// demo delivers an event as a gateway would: twice, in base64, and with a forged
// signature.
func demo(ctx context.Context, stdout io.Writer) error {
	verifier, err := webhookverify.New(demoSecret,
		webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(time.Hour, 1000)))
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(stdout, nil))
	r := receiver{verifier, logger, newMux(logger).Handle}
	genuine, err := gatewayRequest(demoSecret)
	if err != nil {
		return err
	}
	encoded := genuine
	encoded.Body, encoded.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(genuine.Body)), true
	forged, err := gatewayRequest("wxsec_other")
	if err != nil {
		return err
	}
	for _, delivery := range []struct {
		name    string
		request events.APIGatewayV2HTTPRequest
	}{{name: "first", request: genuine}, {name: "again", request: genuine}, {name: "base64", request: encoded}, {name: "forged", request: forged}} {
		response, err := r.receive(ctx, delivery.request)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "%-7s %d\n", delivery.name, response.StatusCode); err != nil {
			return err
		}
	}
	return nil
}

// gatewayRequest returns an event in the form that an HTTP API passes to the function.
func gatewayRequest(secret string) (req events.APIGatewayV2HTTPRequest, err error) {
	sent := whozextest.NewEventRequest(secret, whozex.EventPackageCreated, whozex.PackageCreated{
		PackageID: "PKG-A1B2C3", GB: decimal.NewFromInt(20), Cost: decimal.NewFromInt(30),
	})
	body, err := io.ReadAll(sent.Body)
	if err != nil {
		return req, err
	}
	req.RequestContext.HTTP.Method = sent.Method
	req.Body, req.Headers = string(body), map[string]string{}
	for name := range sent.Header {
		req.Headers[strings.ToLower(name)] = sent.Header.Get(name)
	}
	return req, nil
}
