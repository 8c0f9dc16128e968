package webhookverify

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// ReadRequest reads and verifies the event of a request. Method, header and
// declared length are judged before a byte of the body is read. It does not ask
// the replay store: only [Verifier.Handler] knows how the handling ended.
//
// Errors are [ErrMethod], [ErrMissingSignature], [ErrMalformedSignature],
// [ErrBodyTooLarge], [ErrSignatureMismatch], [ErrMalformedEvent], [ErrStale], and
// whatever reading the body gave.
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
	if err := v.match(body, claimed); err != nil {
		return nil, err
	}
	event, err := parseEvent(body)
	if err != nil {
		return nil, err
	}
	event.ID = v.identity(body)
	if err := v.checkAge(event); err != nil {
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

// believed is how much of a declared length is allocated at once.
const believed = 64 << 10

func (v *Verifier) readBody(r *http.Request) ([]byte, error) {
	switch {
	case r.ContentLength > v.maxBytes:
		return nil, ErrBodyTooLarge
	case r.Body == nil:
		return nil, nil
	}
	// What a sender announces is not yet worth its memory.
	body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), believed)+bytes.MinRead))
	_, err := body.ReadFrom(io.LimitReader(r.Body, v.maxBytes+1))
	switch {
	case int64(body.Len()) > v.maxBytes:
		return nil, ErrBodyTooLarge
	case err == nil && int64(body.Len()) < r.ContentLength:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("webhookverify: reading the body: %w", err)
	}
	return body.Bytes(), nil
}
