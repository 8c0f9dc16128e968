package whozex

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// envelope is the object around every response. Its parts stay raw: it is used only for
// responses that the strict pass cannot decode.
type envelope struct {
	success, data, pagination, meta json.RawMessage

	code, message string // of the error
	isObject      bool   // the body is an object
	hasError      bool   // with an error in it
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func trimBOM(body []byte) []byte { return bytes.TrimPrefix(body, byteOrderMark) }

func readEnvelope(body []byte) envelope {
	var wire struct {
		Success    json.RawMessage `json:"success"`
		Data       json.RawMessage `json:"data"`
		Pagination json.RawMessage `json:"pagination"`
		Meta       json.RawMessage `json:"meta"`
		Error      json.RawMessage `json:"error"`
		Errors     json.RawMessage `json:"errors"`
		Code       json.RawMessage `json:"code"`
		Message    json.RawMessage `json:"message"`
	}
	if json.Unmarshal(trimBOM(body), &wire) != nil {
		return envelope{}
	}
	e := envelope{success: wire.Success, data: wire.Data, pagination: wire.Pagination, meta: wire.Meta, isObject: true}
	e.hasError = hasContent(wire.Error) || hasContent(wire.Errors)
	for _, raw := range []json.RawMessage{wire.Error, wire.Errors} {
		code, message := failureOf(raw)
		e.merge(code, message)
	}
	e.merge(canonicalCode(textOf(wire.Code)), messageOf(wire.Message))
	return e
}

// merge sets code and message unless they are set.
func (e *envelope) merge(code, message string) {
	if e.code == "" {
		e.code = code
	}
	if e.message == "" {
		e.message = message
	}
}

// failureOf reads an error as an object with code and message, an array of such objects,
// a bare code, or a bare message.
func failureOf(raw json.RawMessage) (code, message string) {
	if items, ok := lenient.Array(raw); ok && len(items) > 0 {
		return failureOf(items[0])
	}
	var fields struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(raw, &fields) == nil {
		return canonicalCode(textOf(fields.Code)), messageOf(fields.Message)
	}
	text := textOf(raw)
	if code := canonicalCode(text); sentinelByCode[code] != nil || looksLikeCode(code) {
		return code, ""
	}
	return "", text
}

// canonicalCode returns a documented code as the API writes it, and any other unchanged.
func canonicalCode(code string) string {
	if upper := strings.ToUpper(code); sentinelByCode[upper] != nil {
		return upper
	}
	return code
}

// looksLikeCode reports whether text has the form of NOT_FOUND.
func looksLikeCode(text string) bool {
	return strings.Contains(text, "_") && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// messageOf returns the text, or the JSON of any other value.
func messageOf(raw json.RawMessage) string {
	if text := textOf(raw); text != "" || !hasContent(raw) {
		return text
	}
	if string(raw) == `""` {
		return ""
	}
	return string(raw)
}

func hasContent(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "[]", "{}", `""`, "false":
		return false
	}
	return true
}

// succeeded reports whether success is true, in any of its forms.
func (e *envelope) succeeded() bool {
	switch string(e.success) {
	case "true", "1", `"true"`, `"1"`:
		return true
	}
	return false
}

// failed reports whether the server refused the call: success is false, or there is a
// documented error code without success or data.
func (e *envelope) failed() bool {
	switch string(e.success) {
	case "false", "0", `"false"`, `"0"`:
		return true
	case "", "null":
		return sentinelByCode[e.code] != nil && !hasContent(e.data)
	}
	return false
}

// claimsSuccess reports whether the body may mean that something was done: success is
// anything but false, or there is data without an error.
func (e *envelope) claimsSuccess() bool {
	return !e.failed() && (hasContent(e.success) || hasContent(e.data) && !e.hasError)
}

// notFromAPI reports whether the body is not the API's envelope: a proxy's page, or the
// JSON of a gateway with codes of its own.
func (e *envelope) notFromAPI() bool { return !hasContent(e.success) && !e.failed() }

func metaOf(raw json.RawMessage) Meta {
	var fields struct {
		Timestamp json.RawMessage `json:"timestamp"`
		Version   json.RawMessage `json:"version"`
	}
	_ = json.Unmarshal(raw, &fields)
	at, _ := lenient.Time(textOf(fields.Timestamp))
	return Meta{Timestamp: at, Version: textOf(fields.Version)}
}
