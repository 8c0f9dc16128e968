package whozex_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go"
)

func TestIterator_GrowingList(t *testing.T) {
	for _, tt := range []struct {
		name   string
		by     int
		times  int
		from   int // the list first grows before this page
		every  int // the number of pages between, 1 if 0
		silent bool
	}{
		{name: "by one item a request", by: 1, times: 1000, from: 2},
		{name: "by all but one of a page a request", by: 99, times: 60, from: 2},
		{name: "by a page", by: 100, times: 1, from: 4},
		{name: "by a page, without totals", by: 100, times: 1, from: 4, silent: true},
		{name: "by a page, now and then, without totals", by: 100, times: 5, from: 4, every: 2, silent: true},
		{name: "by a page, at once", by: 100, times: 1, from: 2},
		{name: "by a page a request", by: 100, times: 7, from: 4},
		{name: "by two pages", by: 200, times: 1, from: 4},
		{name: "by two pages, without totals", by: 200, times: 1, from: 4, silent: true},
		{name: "by two pages before the last page", by: 200, times: 1, from: 10},
		{name: "by two pages, twice", by: 200, times: 2, from: 5},
		{name: "by two pages, seven times", by: 200, times: 7, from: 9},
		{name: "by two pages, seven times, at once", by: 200, times: 7, from: 2},
		{name: "by two pages and a half", by: 250, times: 1, from: 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &fakeList{items: entries(0, 1000)}
			left := tt.times
			b.change = func(b *fakeList, page int) {
				if page >= tt.from && (page-tt.from)%max(tt.every, 1) == 0 && left > 0 {
					left--
					b.grow(tt.by)
				}
			}
			if tt.silent {
				b.say = func(p whozex.Pagination) map[string]any { return map[string]any{"has_next": p.HasNext} }
			}
			ids, err := b.all(t, whozex.ListUsersParams{})
			require.NoError(t, err)
			old := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return strings.HasPrefix(id, "new") })
			slices.Sort(ids)
			assert.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "no item twice")
			assert.Equal(t, numbers(0, 1000), old, "all that was there, in order")
		})
	}
}

func TestPrefetch_GrowingList(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &fakeList{items: entries(0, 1000)}
		b.change = func(b *fakeList, page int) {
			if page%4 == 0 && page <= 12 {
				b.grow(130)
			}
		}
		ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
		require.NoError(t, err)
		slices.Sort(ids)
		assert.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "no item twice")
		assert.Contains(t, ids, "999")
	})
}

func TestIterator_ForgetsOldItems(t *testing.T) {
	b := &fakeList{items: entries(0, 400)}
	b.items[79].ID, b.items[399].ID = "0", "0"
	ids, err := b.all(t, whozex.ListUsersParams{Limit: 10})
	require.NoError(t, err)
	assert.Len(t, ids, 399, "an id is left out for eight pages, and not for ever")
}

func TestIterator_ShrinkingList(t *testing.T) {
	t.Run("behind the reader", func(t *testing.T) {
		b := &fakeList{items: entries(0, 1000), change: func(b *fakeList, page int) {
			if page == 4 {
				b.items = b.items[150:]
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err)
		assert.Equal(t, slices.Concat(numbers(0, 300), numbers(450, 1000)), ids, "as many are skipped as were removed")
	})
	t.Run("before the reader", func(t *testing.T) {
		b := &fakeList{items: entries(0, 1000), change: func(b *fakeList, page int) {
			if page == 4 {
				b.items = b.items[:620]
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 620), ids)
		assert.Len(t, b.asked, 7)
	})
	t.Run("to less than was read", func(t *testing.T) {
		b := &fakeList{items: entries(0, 1000), change: func(b *fakeList, page int) {
			if page == 4 {
				b.items = nil
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 300), ids)
		assert.Equal(t, []int{1, 2, 3, 4}, b.asked)
	})
}

func TestIterator_RandomLists(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	rapid.Check(t, func(r *rapid.T) {
		total := rapid.IntRange(0, 700).Draw(r, "total")
		limit := rapid.IntRange(0, 100).Draw(r, "limit")
		prefetch := rapid.IntRange(0, 5).Draw(r, "prefetch")
		size := limit
		if limit == 0 {
			size = 100
		}
		count := pagesOf(total, size)
		start := rapid.IntRange(0, count+2).Draw(r, "start")
		first := max(start, 1)
		b := &fakeList{items: entries(0, total)}
		ids, err := b.all(t, whozex.ListUsersParams{Page: start, Limit: limit}, whozex.Prefetch(prefetch))
		require.NoError(r, err)
		assert.Equal(r, numbers((first-1)*size, total), ids)
		assert.Len(r, b.asked, max(count-first+1, 1))
	})
}

func TestIterator_RandomGrowingLists(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.IntRange(1, 30).Draw(r, "limit")
		total := rapid.IntRange(0, 20*limit).Draw(r, "total")
		growth := rapid.SliceOfN(rapid.IntRange(0, 2*limit), 0, 7).Draw(r, "growth")
		from := rapid.IntRange(2, 20).Draw(r, "from")
		b := &fakeList{items: entries(0, total), change: func(b *fakeList, page int) {
			if page >= from && len(growth) > 0 {
				b.grow(growth[0])
				growth = growth[1:]
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{Limit: limit})
		require.NoError(r, err)
		old := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return strings.HasPrefix(id, "new") })
		assert.Equal(r, numbers(0, total), old)
		slices.Sort(ids)
		assert.Len(r, slices.Compact(slices.Clone(ids)), len(ids))
	})
}
