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
const wholeData = -1

func (o *origin) setOrigin(s *source, item int) { *o = origin{source: s, item: item} }

// RawJSON returns a copy of the JSON that the value was decoded from, as it came,
// secrets included. It is nil for a value that no call has returned.
func (o origin) RawJSON() json.RawMessage {
	if o.source == nil {
		return nil
	}
	env := readEnvelope(o.source.body)
	if o.item == wholeData {
		return bytes.Clone(env.data)
	}
	return bytes.Clone(o.source.item(&env, o.item))
}

// Unread returns the paths of the fields that the response lacks, or whose value could
// not be read, such as user_balance_after: those that are zero for no other reason. It
// is nil if all was read.
func (o origin) Unread() []string {
	if o.source == nil {
		return nil
	}
	env := readEnvelope(o.source.body)
	var report lenient.Report
	if o.item == wholeData {
		report, _ = o.source.read(&env, o.source.newResult())
	} else {
		item := o.source.newResult().(lister).newItem()
		report, _ = lenient.Decode(o.source.item(&env, o.item), item, o.source.request)
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

func (s *source) newResult() any { return reflect.New(s.result).Interface() }

// item is the i-th of a list.
func (s *source) item(env *envelope, i int) json.RawMessage {
	items, _, _ := s.newResult().(lister).items(env.data)
	return items[i]
}

// inferrer is a result whose field names are not documented.
type inferrer interface{ infer(data []byte) error }

// lister is a list, which has its items in the response and not in fields.
type lister interface {
	readList(env *envelope, from lenient.Source) (lenient.Report, error)
	items(data json.RawMessage) (items []json.RawMessage, name string, err error)
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
