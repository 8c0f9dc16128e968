package whozex

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// envelope is the object around every response. Its parts stay raw: it is used only for
// responses that the strict pass cannot decode.
type envelope struct {
	success, data, pagination, meta json.RawMessage

	code, message string          // of the error
	object        json.RawMessage // the whole object, nil if the body is not one
	hasError      bool            // there is an error
	hasOthers     bool            // there are members that are not part of the envelope
}

// trimBody removes whitespace and a byte order mark around JSON.
func trimBody(body []byte) []byte {
	return bytes.TrimPrefix(bytes.TrimSpace(body), byteOrderMark)
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// unquote returns the object or array in a JSON string, or raw.
func unquote(raw json.RawMessage) json.RawMessage {
	if !bytes.HasPrefix(raw, []byte(`"`)) {
		return raw
	}
	text := trimBody([]byte(textOf(raw)))
	if bytes.HasPrefix(text, []byte("{")) || bytes.HasPrefix(text, []byte("[")) {
		return text
	}
	return raw
}

func readEnvelope(body []byte) *envelope {
	e := &envelope{object: unquote(trimBody(body))}
	values, others, ok := membersOf(e.object, "success", "data", "pagination", "meta", "error", "errors", "code", "message")
	if !ok {
		return new(envelope)
	}
	e.success, e.data, e.pagination, e.meta = values[0], unquote(values[1]), values[2], values[3]
	e.hasOthers = others
	for _, raw := range values[4:6] {
		e.hasError = e.hasError || hasContent(raw)
		e.merge(failureOf(raw))
	}
	e.merge(failureIn(e.object))
	return e
}

// membersOf returns the values of an object's members by name, and whether it has other
// members.
func membersOf(object json.RawMessage, names ...string) (values []json.RawMessage, others, ok bool) {
	values = make([]json.RawMessage, len(names))
	ok = lenient.Each(object, func(name string, value json.RawMessage) {
		i := slices.IndexFunc(names, func(known string) bool { return strings.EqualFold(name, known) })
		if i < 0 {
			others = true
			return
		}
		values[i] = value // the last counts, as for encoding/json
	})
	return values, others, ok
}

// fillData uses the fields beside success as the data if there is none.
func (e *envelope) fillData() {
	if e.data == nil && e.hasOthers {
		e.data = e.object
	}
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

// failureOf parses an error: an object with code and message, an array of such objects, a
// code, or a message.
func failureOf(raw json.RawMessage) (code, message string) {
	if items, ok := lenient.Array(raw); ok && len(items) > 0 {
		return failureOf(items[0])
	}
	if bytes.HasPrefix(raw, []byte("{")) {
		if code, message = failureIn(raw); code == "" && message == "" {
			message = messageOf(raw) // such as {"email":["is taken"]}
		}
		return code, message
	}
	text := textOf(raw)
	if code := canonicalCode(text); sentinelByCode[code] != nil || looksLikeCode(code) {
		return code, ""
	}
	return "", text
}

// failureIn returns code and message of an object. The message may have other usual names.
func failureIn(object json.RawMessage) (code, message string) {
	values, _, _ := membersOf(object, "code", "message", "msg", "detail")
	for _, raw := range values[1:] {
		if message == "" {
			message = messageOf(raw)
		}
	}
	return canonicalCode(textOf(values[0])), message
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

// claimsSuccess reports whether the body may report success: success is
// anything but false, or there is data without an error.
func (e *envelope) claimsSuccess() bool {
	return !e.failed() && (hasContent(e.success) || hasContent(e.data) && !e.hasError)
}

// notFromAPI reports whether the body is not the API's envelope: a proxy's page, or the
// JSON of a gateway with its own codes.
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
