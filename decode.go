package whozex

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

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

// target is a decoded of any type, and its parts.
type target struct {
	whole   any
	success *any
	data    any
	from    *source
}

// decode reads a 2xx response in one strict pass and, if that fails or leaves out an
// amount or an id, in a lenient one. A type that finds its own fields needs only the
// latter. The error is errNotDone when the server reports a failure.
func (s *callState) decode(to target) error {
	data, from := to.data, to.from
	body := trimBody(s.last.body)
	from.operation, from.id, from.result = s.op, s.id, reflect.TypeOf(data).Elem()
	_, infers := data.(inferrer)
	// In text that is not UTF-8 encoding/json replaces letters.
	if infers || longNumber(body) || !utf8.Valid(body) || json.Unmarshal(body, to.whole) != nil || *to.success != true || !complete(data, s.op) {
		reflect.ValueOf(data).Elem().SetZero()
		env, err := readSuccess(body, true)
		if err != nil {
			return err
		}
		report, err := from.read(env, data)
		switch {
		case err != nil:
			return err
		case len(report.IDs) > 0:
			return unreadable(report.IDs)
		case report.Filled == 0, len(report.Amounts) > 0 && !s.mutating():
			return unreadable(report.Amounts)
		}
	}
	from.body = body
	data.(result).setOrigin(from, wholeData)
	return nil
}

// complete reports whether the strict pass found all amounts and ids.
func complete(data any, op Operation) bool {
	if l, ok := data.(interface{ strict() bool }); ok && !l.strict() {
		return false
	}
	return lenient.Complete(data, string(op))
}

// decodeInto decodes the data into out by encoding/json alone, since the type is the
// caller's. Without out the response needs no data.
func (s *callState) decodeInto(out any) error {
	env, err := readSuccess(trimBody(s.last.body), false)
	switch {
	case out == nil && err == errNoData:
		return nil
	case out == nil || err != nil:
		return err
	case longNumber(env.data):
		return errLongNumber
	}
	return json.Unmarshal(env.data, out)
}

// readSuccess reads the envelope of a response that reports success and holds data.
// With fill, what stands beside success may be the data.
func readSuccess(body []byte, fill bool) (*envelope, error) {
	env := readEnvelope(body)
	switch {
	case env.object == nil:
		if err := json.Unmarshal(body, new(struct{})); err != nil {
			return nil, err
		}
		return nil, errNoEnvelope
	case env.failed():
		return nil, errNotDone
	case !env.succeeded():
		return nil, errNoEnvelope
	}
	if fill {
		env.fillData()
	}
	if !hasValue(env.data) {
		return nil, errNoData
	}
	return env, nil
}

func hasValue(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

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
