package webhookverify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Event is an event whose signature was verified.
type Event struct {
	// ID identifies the event for a [ReplayStore]: v2: and the hex of the body's
	// SHA-256, or the result of [WithEventID]. It depends on no secret, so it is the
	// same on each replica, before and after a key rotation, and for each webhook
	// that receives the event. The API documents no id.
	ID string `json:"id"`
	// Webhook is the name of the secret that signed the event, see
	// [WithSecrets]; empty for the secret of [New].
	Webhook string `json:"webhook,omitempty"`
	// Name is the event's name, such as "package.created". The API may send names
	// that it does not document.
	Name string `json:"event"`
	// Data is the event's raw data; nil if the body has none.
	Data json.RawMessage `json:"data,omitempty"`
	// Timestamp is the event's time; zero if it is missing or not RFC 3339.
	Timestamp time.Time `json:"timestamp,omitzero"`
	// Body is the whole body as it was signed, or its decompressed content if the
	// sender signed gzip or zlib, which the API does not document. It is not part of
	// the JSON.
	Body []byte `json:"-"`
}

// parseEvent matches keys exactly: encoding/json would accept "EVENT" for "event",
// and the last of two duplicates.
func parseEvent(body []byte) (*Event, error) {
	fields, err := exactFields(body, "event", "data", "timestamp")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformedEvent, err)
	}
	event := &Event{Body: body, Data: fields["data"]}
	if json.Unmarshal(fields["event"], &event.Name) != nil || event.Name == "" {
		return nil, fmt.Errorf("%w: it has no event name", ErrMalformedEvent)
	}
	var at string
	if json.Unmarshal(fields["timestamp"], &at) == nil {
		event.Timestamp, _ = time.Parse(time.RFC3339, at)
	}
	return event, nil
}

// exactFields returns the fields of a JSON object whose keys are in names. A
// duplicate of one of them is an error.
func exactFields(body []byte, names ...string) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, fmt.Errorf("it is not a JSON object")
	}
	fields := make(map[string]json.RawMessage, len(names))
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		for _, name := range names {
			if key != name {
				continue
			}
			if fields[name] != nil {
				return nil, fmt.Errorf("it has two fields %q", name)
			}
			fields[name] = value
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON object")
	}
	return fields, nil
}
