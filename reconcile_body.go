package whozex

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// receivedOutcome returns the outcome from a response that was received, at least in part,
// and reports success. It takes precedence over the lists.
func receivedOutcome(unknown *OutcomeUnknownError) (outcome Outcome, ok bool) {
	success, data := responseFields(unknown.Body)
	if unknown.StatusCode/100 != 2 || !success {
		return Outcome{}, false
	}
	outcome = Outcome{Verdict: OutcomeApplied, Reason: "the response that arrived says so"}
	switch unknown.Operation {
	case OpCreateUser:
		outcome.User = decodeFields[User](data)
	case OpPurchasePackage, OpAddGB:
		outcome.Package = decodeFields[Package](data)
	case OpAddBalance, OpDeductBalance:
		outcome.Change = decodeFields[BalanceChange](data)
	case OpCreateWebhook:
		outcome.Webhook = decodeFields[Webhook](data)
	case OpRegenerateKey:
		if key, err := findKey(encodeFields(data...)); err == nil {
			outcome.APIKey = Secret(key)
		}
	}
	return outcome, true
}

// responseFields reads an envelope that may be truncated: whether it reports success, and
// the complete fields of its data.
func responseFields(body []byte) (success bool, data []field) {
	start := bytes.IndexByte(body, '{')
	// A byte order mark or a guard against scripts may precede it, but no markup.
	if start < 0 || start > 16 || bytes.ContainsAny(body[:start], "<[") && !bytes.HasPrefix(body, []byte(")]}'")) {
		return false, nil
	}
	refused := false
	readObject(body[start:], func(name string, value json.RawMessage, rest []byte) {
		switch strings.ToLower(name) {
		case "success":
			success = success || saysSuccess(value)
			refused = refused || !saysSuccess(value)
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

// saysSuccess reports whether a value of "success" means yes.
func saysSuccess(value json.RawMessage) bool {
	switch strings.ToLower(strings.Trim(string(value), `"`)) {
	case "true", "1", "1.0", "yes", "ok":
		return true
	}
	return false
}

// isEmpty reports whether a value is empty.
func isEmpty(value json.RawMessage) bool {
	switch string(bytes.TrimSpace(value)) {
	case "", "null", "false", `""`, "{}", "[]", "0":
		return true
	}
	return false
}

// field is a field of an object.
type field struct {
	name  string
	value json.RawMessage
}

// readObject calls next with each field of an object. The value of a truncated one is nil,
// and rest is the text from its beginning. It reports whether the object was complete.
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

// decodeFields returns a T with the fields that can be decoded; nil without any.
func decodeFields[T any](data []field) *T {
	into := new(T)
	report, err := lenient.Decode(encodeFields(data...), into, lenient.Source{})
	if err != nil || report.Filled == 0 {
		return nil
	}
	return into
}

func encodeFields(fields ...field) []byte {
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
