package whozex

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// envelope is what every answer comes in. What is rarely needed of it stays raw
// or out, so that it cannot spoil the reading of the data.
type envelope[T any] struct {
	Success *bool           `json:"success"`
	Data    *T              `json:"data"`
	Error   json.RawMessage `json:"error"`
}

var (
	errNoEnvelope = errors.New("it is no envelope of the API")
	errNoData     = errors.New("it holds no data")
	errLongNumber = errors.New("it holds a number of more than 64 characters")
	errNotDone    = errors.New("success is false")
)

// completer is data that one pass of encoding/json cannot always fill.
type completer interface {
	complete(data []byte) error
}

// decode reads the data of a 2xx answer in one pass. The error is errNotDone
// when the server reports a failure.
func decode[T any](body []byte) (*T, error) {
	var env envelope[T]
	err := unmarshal(body, &env)
	switch {
	case err != nil && failed(body), err == nil && env.failed():
		return nil, errNotDone
	case err != nil:
		return nil, err
	case env.Success == nil:
		return nil, errNoEnvelope
	case env.Data == nil:
		return nil, errNoData
	}
	if c, ok := any(env.Data).(completer); ok {
		if err := c.complete(body); err != nil {
			return nil, err
		}
	}
	return env.Data, nil
}

// failed reports whether the server says that it did not do what was asked:
// success is false, or there is a documented error and no word of success.
func (e *envelope[T]) failed() bool {
	if e.Success != nil {
		return !*e.Success
	}
	code, _ := codeOf(e.Error)
	return sentinelByCode[code] != nil
}

func failed(body []byte) bool {
	var env envelope[json.RawMessage]
	return json.Unmarshal(body, &env) == nil && env.failed()
}

// claimsSuccess reports whether body says that something was done: success is
// true, or there is data, no error, and no word against it.
func claimsSuccess(body []byte) bool {
	var env struct{ Success, Data, Error json.RawMessage }
	if json.Unmarshal(body, &env) != nil {
		return false
	}
	switch string(env.Success) {
	case "true", `"true"`, "1":
		return true
	case "", "null":
		return present(env.Data) && !present(env.Error)
	}
	return false
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// failureOf reads code and message of an answer that may be no envelope at all.
func failureOf(body []byte) (code, message string) {
	var env envelope[json.RawMessage]
	if json.Unmarshal(body, &env) != nil {
		return "", ""
	}
	return codeOf(env.Error)
}

func codeOf(raw json.RawMessage) (code, message string) {
	var e struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(raw, &e) != nil {
		_ = json.Unmarshal(raw, &e.Message)
	}
	return e.Code, e.Message
}

func metaOf(body []byte) Meta {
	var env struct {
		Meta json.RawMessage `json:"meta"`
	}
	_ = json.Unmarshal(body, &env)
	var raw struct {
		Timestamp string `json:"timestamp"`
		Version   string `json:"version"`
	}
	_ = json.Unmarshal(env.Meta, &raw)
	at, _ := time.Parse(time.RFC3339, raw.Timestamp)
	return Meta{Timestamp: at, Version: raw.Version}
}

// unmarshal is json.Unmarshal for bytes from outside: numbers are bounded, and
// a time that is none reads as zero, since for its sake no word of a purchase
// may be lost.
func unmarshal(body []byte, into any) error {
	if err := checkNumbers(body, into); err != nil {
		return err
	}
	err := json.Unmarshal(body, into)
	if err != nil {
		if cleaned, changed := blankTimes(body); changed {
			err = json.Unmarshal(cleaned, into)
		}
	}
	return err
}

const maxNumber = 64

// checkNumbers refuses numbers that would take minutes to become a decimal, as
// JSON numbers or as strings. A run of 65 characters covers a multiple of 65,
// so looking at every 65th byte is enough. Digits in a text, such as a name, are
// no number: with a letter put in front they still decode.
func checkNumbers(body []byte, into any) error {
	for i := maxNumber; i < len(body); i += maxNumber + 1 {
		start, end := i, i
		for start > 0 && numeric(body[start-1]) && numeric(body[i]) {
			start--
		}
		for end < len(body) && numeric(body[end]) {
			end++
		}
		if end-start <= maxNumber {
			continue
		}
		first := body[start]
		body[start] = 'x'
		err := json.Unmarshal(body, into)
		body[start] = first
		if err != nil {
			return errLongNumber
		}
		i = end
	}
	return nil
}

func numeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// blankTimes puts null in the place of whatever stands as a time, by the names
// that times have in this API, and is none.
func blankTimes(body []byte) (cleaned []byte, changed bool) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var key string
	copied := int64(0)
	for {
		before := dec.InputOffset()
		token, err := dec.Token()
		if err != nil {
			return append(cleaned, body[copied:]...), changed
		}
		text, isText := token.(string)
		if body[before] != ':' && !bytes.HasPrefix(bytes.TrimLeft(body[before:], " \t\r\n"), []byte(":")) {
			key = text
			continue
		}
		_, isNumber := token.(json.Number)
		if isTime(key) && (isNumber || isText && !parsesAsTime(text)) {
			cleaned = append(append(cleaned, body[copied:before]...), ":null"...)
			copied, changed = dec.InputOffset(), true
		}
	}
}

func isTime(key string) bool { return strings.HasSuffix(key, "_at") }

func parsesAsTime(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}
