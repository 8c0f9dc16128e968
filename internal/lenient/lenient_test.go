package lenient_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/internal/lenient"
)

type inner struct {
	Count int             `json:"count"`
	Price decimal.Decimal `json:"price"`
}

type outer struct {
	ID      string              `json:"id"`
	Balance decimal.Decimal     `json:"balance"`
	Custom  decimal.NullDecimal `json:"custom"`
	Count   int                 `json:"count"`
	Live    bool                `json:"live"`
	At      time.Time           `json:"at"`
	Names   []string            `json:"names"`
	Inner   inner               `json:"inner"`
	Plans   []inner             `json:"plans"`
	Note    string              `json:"note" api:"inferred,alias=description"`
}

func TestDecode_Report(t *testing.T) {
	for _, test := range []struct {
		name string
		data string
		want lenient.Report
	}{
		{
			name: "documented form",
			data: `{"id":"1","balance":1,"custom":null,"count":1,"live":true,"at":"2025-01-01T12:00:00Z","names":[],"inner":{"count":1,"price":1},"plans":[],"note":""}`,
			want: lenient.Report{Filled: 11},
		},
		{
			name: "other forms",
			data: `{"id":1,"balance":" 1.5 ","custom":"","count":"1","live":0,"at":1735732800,"names":{},"inner":{"count":1.0,"price":"1"},"plans":[],"note":""}`,
			want: lenient.Report{Filled: 10, Converted: []string{"id", "balance", "custom", "count", "live", "at", "names", "inner.count"}},
		},
		{
			name: "unreadable values",
			data: `{"id":{},"balance":"1,220.00","custom":false,"count":1.5,"live":"perhaps","at":"soon","names":"a","inner":7,"plans":[{"count":1},null]}`,
			want: lenient.Report{
				Filled:  2,
				Unread:  []string{"id", "balance", "custom", "count", "live", "at", "names", "inner", "plans[1]"},
				Missing: []string{"plans[0].price", "note"},
				Amounts: []string{"balance", "inner", "plans[0].price", "plans[1]"},
				IDs:     []string{"id"},
			},
		},
		{
			name: "nothing",
			data: `{}`,
			want: lenient.Report{
				Missing: []string{"id", "balance", "custom", "count", "live", "at", "names", "inner", "plans", "note"},
				Amounts: []string{"balance", "inner", "plans"},
				IDs:     []string{"id"},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := lenient.Decode([]byte(test.data), new(outer), lenient.Source{})
			require.NoError(t, err)
			assert.ElementsMatch(t, test.want.Unread, got.Unread)
			assert.ElementsMatch(t, test.want.Missing, got.Missing)
			assert.ElementsMatch(t, test.want.Converted, got.Converted)
			assert.ElementsMatch(t, test.want.Amounts, got.Amounts)
			assert.ElementsMatch(t, test.want.IDs, got.IDs)
		})
	}
}

func TestDecode_Alias(t *testing.T) {
	for data, want := range map[string]string{
		`{"description":"b"}`:            "b",
		`{"note":"a","description":"b"}`: "a",
		`{"description":"b","note":"a"}`: "a",
	} {
		var v outer
		_, err := lenient.Decode([]byte(data), &v, lenient.Source{})
		require.NoError(t, err)
		assert.Equal(t, want, v.Note, data)
	}
}

func TestTime(t *testing.T) {
	noon := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2025-01-01T12:00:00Z", "2025-01-01T12:00:00.000Z", "2025-01-01T14:00:00+02:00", "2025-01-01T12:00:00+0000", "2025-01-01T12:00:00",
		"2025-01-01 12:00:00", "2025-01-01 12:00:00 UTC", "2025-01-01T12:00Z", " 2025-01-01 12:00 ", "1735732800", "1735732800000", "1735732800.0",
	} {
		at, ok := lenient.Time(text)
		assert.True(t, ok, text)
		assert.True(t, noon.Equal(at), "%s: %s", text, at)
	}
	for _, text := range []string{"", "0", "soon", "0000-00-00 00:00:00", "0001-01-01T00:00:00Z", "12", "-1735732800", "1e300", "NaN", "Inf", "0x6775"} {
		_, ok := lenient.Time(text)
		assert.False(t, ok, text)
	}
}

// memory returns the bytes that f allocates, most of them only for a short time.
func memory(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// peak returns the most memory that f holds at a time, measured with the garbage collector
// running as often as possible.
func peak(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	live := func() uint64 {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	before := live()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for most := before; ; most = max(most, live()) {
		select {
		case <-done:
			return most - before
		default:
		}
	}
}

// TestDecode_PeakMemory checks that Decode holds at most a few times its input. Decoded
// items take more: each {} is forty bytes in Go, and its raw JSON as many.
func TestDecode_PeakMemory(t *testing.T) {
	const size = 1 << 18
	for _, test := range []struct {
		name, data string
		times      uint64
	}{
		{name: "a long text", data: `{"id":"` + strings.Repeat("x", size) + `"}`, times: 10},
		{name: "a long number", data: `{"balance":` + strings.Repeat("7", size) + `}`, times: 10},
		{name: "many members", data: `{` + strings.Repeat(`"a":1,`, size/6) + `"b":1}`, times: 10},
		{name: "many unknown", data: `{"x":[` + strings.Repeat(`[],`, size/3) + `1]}`, times: 10},
		{name: "many items", data: `{"plans":[` + strings.Repeat(`{},`, size/3) + `{}]}`, times: 60},
		{name: "deeply nested", data: `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,"note":"` + strings.Repeat("x", size) + `"}`, times: 10},
		{name: "the same member", data: `{` + strings.Repeat(`"inner":{"price":1},`, size/20) + `"id":"1"}`, times: 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			held := uint64(math.MaxUint64)
			for range 3 { // what is allocated while the collector runs counts as live
				held = min(held, peak(func() { _, _ = lenient.Decode([]byte(test.data), new(outer), lenient.Source{}) }))
			}
			t.Logf("%.1f times the input", float64(held)/float64(len(test.data)))
			assert.Less(t, held, test.times*uint64(len(test.data)))
		})
	}
}

// TestDecode_Allocations checks that all allocations are proportional to the input. Few of
// them are live at a time.
func TestDecode_Allocations(t *testing.T) {
	const size = 1 << 20
	for name, data := range map[string]string{
		"a long text":     `{"id":"` + strings.Repeat("x", size) + `"}`,
		"a long number":   `{"balance":` + strings.Repeat("7", size) + `}`,
		"many members":    `{` + strings.Repeat(`"a":1,`, size/6) + `"b":1}`,
		"many unknown":    `{"x":[` + strings.Repeat(`[],`, size/3) + `1]}`,
		"many items":      `{"plans":[` + strings.Repeat(`{},`, size/60) + `{}],"note":"` + strings.Repeat("x", size) + `"}`,
		"deeply nested":   `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,"note":"` + strings.Repeat("x", size) + `"}`,
		"the same member": `{` + strings.Repeat(`"inner":{"price":1},`, size/20) + `"id":"1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			took := memory(func() { _, _ = lenient.Decode([]byte(data), new(outer), lenient.Source{}) })
			t.Logf("%.1f times the input", float64(took)/float64(len(data)))
			assert.Less(t, took, uint64(160*len(data)))
		})
	}
}

// FuzzDecode compares the lenient pass with encoding/json: if that succeeds, both must
// agree.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"id":"1","balance":"1.50","custom":null,"count":1,"live":true,"at":"2025-01-01T12:00:00Z","names":["a"],"inner":{"count":1,"price":1e3},"plans":[{},null]}`,
		`{"ID":"1","id":"2","balance":1,"Balance":2,"balance":null}`, `{"inner":{"count":1},"inner":{"price":2},"plans":[{"count":1}],"plans":[{"price":1}]}`,
		`{"names":null,"names":["a",null]}`, `{"balance":"","custom":"","id":"\ud800"}`, `{"balance":1e-70,"custom":1e70}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var strict, loose outer
		err := json.Unmarshal(data, &strict)
		if err == nil && string(data) == "null" {
			return
		}
		took := memory(func() { _, _ = lenient.Decode(data, &loose, lenient.Source{}) })
		assert.Less(t, took, uint64(200*len(data)+1<<16))
		if !utf8.Valid(data) { // encoding/json replaces invalid UTF-8, the lenient pass does not
			return
		}
		strict.Note, loose.Note = "", "" // the lenient pass also reads this field's alias
		if err != nil || !lenient.Complete(&strict, "") || longest(strict) > lenient.MaxDigits {
			return
		}
		assert.Equal(t, formatted(strict), formatted(loose), "%s", data)
	})
}

// longest returns the length of the longest number.
func longest(v outer) (n int) {
	for _, d := range append([]inner{v.Inner, {Price: v.Balance}, {Price: v.Custom.Decimal}}, v.Plans...) {
		n = max(n, d.Price.NumDigits())
	}
	return n
}

// formatted returns v as text, which does not depend on the representation of decimals.
func formatted(v outer) string {
	if len(v.Names) == 0 {
		v.Names = nil
	}
	if len(v.Plans) == 0 {
		v.Plans = nil
	}
	text := fmt.Sprintf("%+v", v)
	if reflect.DeepEqual(v.At, time.Time{}) {
		return text
	}
	return text + v.At.Format(time.RFC3339Nano)
}
