package whozextest

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/whozex/whozex-go"
)

// Rename renames fields, at any depth, in the data of op's responses, since the live API
// may use other names where they are not documented. An empty name removes the field. A
// second call for op replaces the first.
func (s *Server) Rename(op whozex.Operation, names map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[op] = maps.Clone(names)
}

// rename returns data with the current names of op's responses.
func (s *Server) rename(op whozex.Operation, data any) any {
	s.mu.Lock()
	names := s.names[op]
	s.mu.Unlock()
	if len(names) == 0 || data == nil {
		return data
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		panic("whozextest: " + err.Error()) // a bug: every response can be encoded
	}
	dec := json.NewDecoder(bytes.NewReader(encoded))
	dec.UseNumber()
	var plain any
	if err := dec.Decode(&plain); err != nil {
		panic("whozextest: " + err.Error())
	}
	return renamed(plain, names)
}

func renamed(value any, names map[string]string) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = renamed(value[i], names)
		}
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, field := range value {
			if other, ok := names[name]; ok {
				name = other
			}
			if name != "" {
				out[name] = renamed(field, names)
			}
		}
		return out
	}
	return value
}
