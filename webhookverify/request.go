package webhookverify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// ReadRequest reads and verifies the event of a request. It checks method, header
// and declared length before it reads the body. It does not use the replay store:
// [Verifier.Handler] and [Verifier.Once] do.
//
// Errors are [ErrMethod], [ErrMissingSignature], [ErrMalformedSignature],
// [ErrBodyTooLarge], [ErrBodyConsumed], [ErrSignatureMismatch],
// [ErrMalformedEvent], [ErrStale], and that of reading the body. [Status] gives the
// response to each.
func (v *Verifier) ReadRequest(r *http.Request) (*Event, error) {
	if r.Method != http.MethodPost {
		return nil, ErrMethod
	}
	claimed, err := headerSignature(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := v.readBody(r)
	if err != nil {
		return nil, err
	}
	return v.read(body, claimed, r)
}

// ParseEvent is [Verifier.ReadRequest] without an [http.Request], for example for a
// queue, AWS Lambda or fiber. signature is the value of [SignatureHeader]; body must
// be the bytes as they arrived, neither decompressed nor re-encoded. The event holds
// a copy of body.
//
// Errors are [ErrMissingSignature], [ErrMalformedSignature], [ErrBodyTooLarge],
// [ErrSignatureMismatch], [ErrMalformedEvent] and [ErrStale]. [Status] gives the
// response to each.
func (v *Verifier) ParseEvent(body []byte, signature string) (*Event, error) {
	claimed, err := parseSignature(signature)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > v.maxBytes {
		return nil, ErrBodyTooLarge
	}
	// A framework may reuse the bytes for its next request.
	return v.read(slices.Clone(body), claimed, nil)
}

// read verifies and parses a body, and keeps it. r is nil if there is no request.
func (v *Verifier) read(body []byte, claimed digest, r *http.Request) (*Event, error) {
	k := v.match(body, claimed)
	if k == nil {
		return nil, v.explain(body, claimed, r)
	}
	event, err := v.parse(body)
	if err != nil {
		return nil, err
	}
	event.Webhook = k.webhook
	event.ID = v.identify(event)
	return event, nil
}

// parse parses a verified body. It may decompress first: no JSON begins as gzip or
// zlib does.
func (v *Verifier) parse(body []byte) (*Event, error) {
	if decompressed, ok := v.decompress(body); ok {
		body = decompressed
	}
	event, err := parseEvent(body)
	if err == nil {
		err = v.checkAge(event)
	}
	if err != nil {
		return nil, err
	}
	return event, nil
}

func headerSignature(h http.Header) (digest, error) {
	switch values := h.Values(SignatureHeader); len(values) {
	case 0:
		return digest{}, ErrMissingSignature
	case 1:
		return parseSignature(values[0])
	default:
		return digest{}, errSeveral
	}
}

// maxPrealloc bounds what is allocated for a declared length before the bytes arrive.
const maxPrealloc = 64 << 10

func (v *Verifier) readBody(r *http.Request) ([]byte, error) {
	switch {
	case r.ContentLength > v.maxBytes:
		return nil, ErrBodyTooLarge
	case r.Body == nil && r.ContentLength > 0:
		return nil, ErrBodyConsumed
	case r.Body == nil:
		return nil, nil
	}
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), maxPrealloc)+bytes.MinRead))
	_, err := body.ReadFrom(io.LimitReader(r.Body, v.maxBytes+1))
	switch {
	case int64(body.Len()) > v.maxBytes:
		return nil, ErrBodyTooLarge
	case err != nil:
		return nil, readError(err)
	}
	return body.Bytes(), nil
}

func readError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("%w: %w", ErrBodyTooLarge, err)
	}
	if errors.Is(err, http.ErrBodyReadAfterClose) {
		return fmt.Errorf("%w: %w", ErrBodyConsumed, err)
	}
	return failure{fmt.Errorf("webhookverify: reading the body: %w", err), http.StatusBadRequest}
}
