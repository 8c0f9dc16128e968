package whozex

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/whozex/whozex-go/internal/lenient"
)

// origin is embedded in every result and refers to its response. The bytes are behind a
// pointer, where %v does not print them.
type origin struct {
	source *source
	item   int
}

// wholeData is the index of a result that is not an item of a list.
const wholeData = -1

func (o *origin) setOrigin(s *source, item int) { *o = origin{source: s, item: item} }

// RawJSON returns a copy of the JSON that the value was decoded from, unchanged, with
// its secrets. It is nil for a value that no call has returned.
func (o origin) RawJSON() json.RawMessage {
	if o.source == nil {
		return nil
	}
	if o.item == wholeData {
		return bytes.Clone(o.source.envelope().data)
	}
	return bytes.Clone(o.source.item(o.item))
}

// Unread returns the paths of the fields, such as user_balance_after, that are missing
// from the response or could not be decoded, and are zero for that reason, at most a
// thousand of either. It is nil if everything was decoded.
func (o origin) Unread() []string {
	if o.source == nil {
		return nil
	}
	var report lenient.Report
	if o.item == wholeData {
		report, _ = o.source.read(o.source.envelope(), o.source.newResult())
	} else {
		item := o.source.newResult().(lister).newItem()
		report, _ = lenient.Decode(o.source.item(o.item), item, o.source.request())
	}
	paths := slices.Concat(report.Unread, report.Missing)
	slices.Sort(paths)
	return paths
}

// source is the response that one or more results were decoded from.
type source struct {
	body      []byte
	operation Operation
	id        string // in the path of the request
	result    reflect.Type

	split sync.Once
	items []json.RawMessage // of a list, once one of them is asked for
}

func (s *source) request() lenient.Source {
	return lenient.Source{Operation: string(s.operation), PathValue: s.id}
}

func (s *source) envelope() *envelope {
	env := readEnvelope(s.body)
	env.fillData()
	return env
}

func (s *source) newResult() any { return reflect.New(s.result).Interface() }

// item returns the i-th of a list.
func (s *source) item(i int) json.RawMessage {
	s.split.Do(func() {
		env := s.envelope()
		s.items, _, _ = s.newResult().(lister).items(env.data)
	})
	if i >= len(s.items) {
		return nil // data stands twice, and the items in the first alone
	}
	return s.items[i]
}

// inferrer is a result whose field names are not documented.
type inferrer interface{ infer(data []byte) error }

// lister is a list of items.
type lister interface {
	readList(env *envelope, from lenient.Source) (lenient.Report, error)
	items(data json.RawMessage) (items []json.RawMessage, name string, err error)
	newItem() any
}

// read decodes the data of env into a new result in the lenient pass.
func (s *source) read(env *envelope, into any) (lenient.Report, error) {
	switch into := into.(type) {
	case inferrer:
		return lenient.Report{Filled: 1}, into.infer(env.data)
	case lister:
		return into.readList(env, s.request())
	}
	from := s.request()
	from.Wrappers = []string{wrapperOf(s.result), "data", "result"}
	data := env.data
	if items, ok := lenient.Array(data); ok && len(items) == 1 {
		data = items[0]
	}
	report, err := lenient.Decode(data, into, from)
	if err == nil && report.Filled == 0 && len(report.Amounts)+len(report.IDs) == 0 {
		err = errNoData
	}
	return report, err
}

// wrapperOf returns the name that may wrap a t, as in {"user": {…}}.
func wrapperOf(t reflect.Type) string { return strings.ToLower(t.Name()) }
