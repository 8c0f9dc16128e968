package whozex

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// origin is embedded in every result and says where it comes from. It is a pointer
// away from the bytes, where no verb of fmt shows them.
type origin struct {
	source *source
	item   int
}

// whole stands in the place of an item's index for all of the data.
const whole = -1

func (o *origin) setOrigin(s *source, item int) { *o = origin{source: s, item: item} }

// RawJSON returns a copy of the JSON that the value was decoded from, as it came,
// secrets included. It is nil for a value that no call has returned.
func (o origin) RawJSON() json.RawMessage {
	if o.source == nil {
		return nil
	}
	env := readEnvelope(o.source.body)
	if o.item == whole {
		return bytes.Clone(env.data)
	}
	items, _, _ := findItems(env.data)
	return bytes.Clone(items[o.item])
}

// Unread returns the paths of what could not be read, such as user_balance_after:
// documented fields that are missing or null, and fields whose value is not of
// their type. It is nil if all was read.
func (o origin) Unread() []string {
	if o.source == nil {
		return nil
	}
	env := readEnvelope(o.source.body)
	var report lenient.Report
	into := reflect.New(o.source.result).Interface()
	if o.item == whole {
		report, _ = o.source.read(&env, into)
	} else {
		items, _, _ := findItems(env.data)
		report, _ = lenient.Decode(items[o.item], into.(lister).newItem(), o.source.request)
	}
	paths := slices.Concat(report.Unread, report.Missing)
	slices.Sort(paths)
	return paths
}

// source is a response that one or more results were decoded from.
type source struct {
	body    []byte
	request lenient.Source
	result  reflect.Type
}

// inferrer is a result whose field names are not documented.
type inferrer interface{ infer(data []byte) error }

// lister is a list, which has its items in the response and not in fields.
type lister interface {
	readList(env *envelope, from lenient.Source) (lenient.Report, error)
	newItem() any
}

// read decodes the data of env into a new result, leniently.
func (s *source) read(env *envelope, into any) (lenient.Report, error) {
	switch into := into.(type) {
	case inferrer:
		return lenient.Report{Filled: 1}, into.infer(env.data)
	case lister:
		return into.readList(env, s.request)
	}
	from := s.request
	from.Wrappers = []string{wrapperOf(s.result), "data", "result"}
	report, err := lenient.Decode(env.data, into, from)
	if err == nil && report.Filled == 0 && len(report.Amounts)+len(report.IDs) == 0 {
		err = errNoData
	}
	return report, err
}

// wrapperOf is the name under which a server may put a t, as in {"user": {…}}.
func wrapperOf(t reflect.Type) string { return strings.ToLower(t.Name()) }
