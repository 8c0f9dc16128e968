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

// receiver handles the requests of a gateway.
type receiver struct {
	verifier *webhookverify.Verifier
	logger   *slog.Logger
	handle   func(context.Context, *webhookverify.Event) error
}

// receive never returns an error, because the gateway would respond with a 502.
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
	body, err := decodeBody(req.Body, req.IsBase64Encoded)
	if err != nil {
		return err
	}
	event, err := r.verifier.ParseEvent(body, header(req.Headers, webhookverify.SignatureHeader))
	if err != nil {
		return err
	}
	return r.verifier.Once(ctx, event, r.handle)
}

// decodeBody returns the bytes that were signed. The gateway encodes the body in
// base64 if it considers the content type binary.
func decodeBody(body string, isBase64 bool) ([]byte, error) {
	if !isBase64 {
		return []byte(body), nil
	}
	decoded, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("decode the body's base64: %w", err)
	}
	return decoded, nil
}

// header returns a header and ignores the case of its name: HTTP APIs and function
// URLs use lower case, REST APIs and load balancers may not.
func header(headers map[string]string, name string) string {
	for key, value := range headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}
