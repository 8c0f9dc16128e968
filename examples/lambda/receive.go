package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/whozex/whozex-go/webhookverify"
)

// receiver turns a gateway's requests into events.
type receiver struct {
	verifier *webhookverify.Verifier
	logger   *slog.Logger
	handle   func(context.Context, *webhookverify.Event) error
}

// receive returns no error: the gateway would respond 502 to it.
func (r receiver) receive(ctx context.Context, req events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	err := r.process(ctx, req)
	if err != nil {
		r.logger.WarnContext(ctx, "delivery refused", "error", err)
	}
	status := webhookverify.Status(err)
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Body: http.StatusText(status)}, nil
}

func (r receiver) process(ctx context.Context, req events.APIGatewayV2HTTPRequest) error {
	if req.RequestContext.HTTP.Method != http.MethodPost {
		return webhookverify.ErrMethod
	}
	body, err := bodyOf(req.Body, req.IsBase64Encoded)
	if err != nil {
		return err
	}
	event, err := r.verifier.ParseEvent(body, header(req.Headers, webhookverify.SignatureHeader))
	if err != nil {
		return err
	}
	return r.verifier.Once(ctx, event, r.handle)
}

// bodyOf returns the bytes that were signed. The gateway encodes a body in base64
// if it does not take the content type for text.
func bodyOf(body string, isBase64 bool) ([]byte, error) {
	if !isBase64 {
		return []byte(body), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("the gateway's base64: %w", err)
	}
	return decoded, nil
}

// header looks a header up whatever its case: an HTTP API and a function URL
// lower it, a REST API and a load balancer may not.
func header(headers map[string]string, name string) string {
	for key, value := range headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
