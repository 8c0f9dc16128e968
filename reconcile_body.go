package whozex

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// inHand is the outcome by a response that arrived, whole or in part, and says
// that the call succeeded. That beats whatever a list shows.
func inHand(unknown *OutcomeUnknownError) (outcome Outcome, ok bool) {
	success, data := responseFields(unknown.Body)
	if unknown.StatusCode/100 != 2 || !success {
		return Outcome{}, false
	}
	outcome = Outcome{Verdict: OutcomeApplied, Reason: "the response that arrived says so"}
	switch unknown.Operation {
	case OpCreateUser:
		outcome.User = fill[User](data)
	case OpPurchasePackage, OpAddGB:
		outcome.Package = fill[Package](data)
	case OpAddBalance, OpDeductBalance:
		outcome.Change = fill[BalanceChange](data)
	case OpCreateWebhook:
		outcome.Webhook = fill[Webhook](data)
	case OpRegenerateKey:
		if key, err := findKey(object(data...)); err == nil {
			outcome.APIKey = Secret(key)
		}
	}
	return outcome, true
}

// responseFields reads as much of an envelope as there is: whether it says
// success, and the fields of its data that arrived whole.
func responseFields(body []byte) (success bool, data []field) {
	start := bytes.IndexByte(body, '{')
	// A byte order mark or a guard against scripts may come first, no markup.
	if start < 0 || start > 16 || bytes.ContainsAny(body[:start], "<[") && !bytes.HasPrefix(body, []byte(")]}'")) {
		return false, nil
	}
	refused := false
	readObject(body[start:], func(name string, value json.RawMessage, rest []byte) {
		switch strings.ToLower(name) {
		case "success":
			success = success || says(value)
			refused = refused || !says(value)
		case "error":
			refused = refused || !isEmpty(value)
		case "data":
			readObject(rest, func(name string, value json.RawMessage, _ []byte) {
				if value != nil {
					data = append(data, field{name, value})
				}
			})
		}
	})
	return success && !refused, data
}

// says reports whether the value of "success" is yes, in any of its spellings.
func says(value json.RawMessage) bool {
	switch strings.ToLower(strings.Trim(string(value), `"`)) {
	case "true", "1", "1.0", "yes", "ok":
		return true
	}
	return false
}

// isEmpty reports whether a value says nothing.
func isEmpty(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", "false", `""`, "{}", "[]", "0":
		return true
	}
	return false
}

// field is one of an object's, in the order of the text.
type field struct {
	name  string
	value json.RawMessage
}

// readObject calls next with each field of an object; the value of one that is
// cut short is nil, and rest is the text from its beginning on. It reports whether
// the object was whole.
func readObject(text []byte, next func(name string, value json.RawMessage, rest []byte)) (whole bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return false
	}
	for dec.More() {
		token, err := dec.Token()
		name, isText := token.(string)
		if err != nil || !isText {
			return false
		}
		rest := bytes.TrimLeft(text[dec.InputOffset():], " \t\r\n:")
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			next(name, nil, rest)
			return false
		}
		next(name, value, rest)
	}
	end, err := dec.Token()
	return err == nil && end == json.Delim('}')
}

// fill makes a T of the fields that fit; nil if there are none.
func fill[T any](data []field) *T {
	into := new(T)
	report, err := lenient.Decode(object(data...), into, lenient.Source{})
	if err != nil || report.Filled == 0 {
		return nil
	}
	return into
}

func object(fields ...field) []byte {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			text.WriteByte(',')
		}
		name, _ := json.Marshal(f.name)
		text.Write(name)
		text.WriteByte(':')
		text.Write(f.value)
	}
	text.WriteByte('}')
	return text.Bytes()
}
