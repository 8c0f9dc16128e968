package whozex

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

var (
	errNoEnvelope = errors.New("not an envelope of the API")
	errNoData     = errors.New("no data")
	errLongNumber = errors.New("a number has more than 64 characters")
	errNotDone    = errors.New("success is false")
)

// result is a type that embeds [origin].
type result interface{ setOrigin(*source, int) }

// decoded is what a 2xx response is decoded into, in one allocation.
type decoded[T any] struct {
	Success any `json:"success"` // no pointer to a bool, which would be allocated
	Data    T   `json:"data"`

	from source
}

// decode reads the data of a 2xx response in one strict pass and, if that fails or
// leaves out an amount or an id, in a lenient one. A type that finds its own fields
// needs only the lenient one. The error is errNotDone when the server reports a failure.
func decode[T any](s *callState) (*T, error) {
	body := trimBOM(s.received())
	d := &decoded[T]{from: source{operation: s.op, id: s.id, result: reflect.TypeFor[T]()}}
	_, infers := any(&d.Data).(inferrer)
	if infers || longNumber(body) || json.Unmarshal(body, d) != nil || d.Success != true || !complete(&d.Data, s.op) {
		var none T
		d.Data = none
		if err := decodeLeniently(s, body, &d.from, &d.Data); err != nil {
			return nil, err
		}
	}
	d.from.body = s.retain(body)
	any(&d.Data).(result).setOrigin(&d.from, wholeData)
	return &d.Data, nil
}

// complete reports whether the strict pass found all amounts and ids.
func complete(data any, op Operation) bool {
	if l, ok := data.(interface{ strict() bool }); ok && !l.strict() {
		return false
	}
	return lenient.Complete(data, string(op))
}

func decodeLeniently(s *callState, body []byte, from *source, data any) error {
	env := readEnvelope(body)
	switch {
	case !env.isObject:
		return syntaxError(body)
	case env.failed():
		return errNotDone
	case !env.succeeded():
		return errNoEnvelope
	case !hasValue(env.data):
		return errNoData
	}
	report, err := from.read(&env, data)
	switch {
	case err != nil:
		return err
	case len(report.IDs) > 0:
		return unreadable(report.IDs)
	case report.Filled == 0, len(report.Amounts) > 0 && !s.mutating():
		return unreadable(report.Amounts)
	}
	return nil
}

// decodeInto decodes the data into out by encoding/json alone, since the type is the
// caller's. Without out the response needs no data.
func (s *callState) decodeInto(out any) error {
	body := trimBOM(s.received())
	env := readEnvelope(body)
	switch {
	case !env.isObject:
		return syntaxError(body)
	case env.failed():
		return errNotDone
	case !env.succeeded():
		return errNoEnvelope
	case out == nil:
		return nil
	case !hasValue(env.data):
		return errNoData
	case longNumber(env.data):
		return errLongNumber
	}
	return json.Unmarshal(env.data, out)
}

func hasValue(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// syntaxError returns what is wrong with a body that is not an object.
func syntaxError(body []byte) error {
	var any map[string]json.RawMessage
	if err := json.Unmarshal(body, &any); err != nil {
		return err
	}
	return errNoEnvelope
}

func unreadable(paths []string) error {
	const most = 5
	if more := len(paths) - most; more > 0 {
		paths = append(paths[:most:most], fmt.Sprintf("%d more", more))
	}
	return fmt.Errorf("missing or unreadable: %s", strings.Join(paths, ", "))
}

// longNumber reports whether body has a run of more digits than a number may have: a
// decimal takes minutes to parse megabytes of them. A run of 65 covers a multiple of 65,
// so it looks at every 65th byte, which adds 0.4% to the decoding of 100 users; every
// byte would add 11%. The lenient pass decides whether the run is a number.
func longNumber(body []byte) bool {
	for i := lenient.MaxDigits; i < len(body); i += lenient.MaxDigits + 1 {
		if !isNumeric(body[i]) {
			continue
		}
		start, end := i, i
		for start > 0 && isNumeric(body[start-1]) {
			start--
		}
		for end < len(body) && isNumeric(body[end]) {
			end++
		}
		if end-start > lenient.MaxDigits {
			return true
		}
	}
	return false
}

func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}
