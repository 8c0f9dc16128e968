package whozex

import (
	"context"
	"iter"
	"slices"
)

// PageOption changes how a list is iterated: [Prefetch], or any [CallOption] for the
// call of each page. A value that makes no sense is refused with a [*ParamError],
// which the iterator yields.
type PageOption interface{ applyPage(*pageOptions) error }

type pageOptions struct {
	prefetch int
	calls    []CallOption
}

type pageOption func(*pageOptions) error

func (p pageOption) applyPage(o *pageOptions) error { return p(o) }

func (c CallOption) applyPage(o *pageOptions) error {
	o.calls = append(o.calls, c)
	return nil
}

// Collect gathers the items of a walk. When the walk ends with an error, the
// items before it come with the error.
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var items []T
	for item, err := range seq {
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
	return items, nil
}

// fetcher asks for one page of a list.
type fetcher[T any] func(ctx context.Context, page, limit int, opts ...CallOption) (*Page[T], error)

// all is the walk behind every list; page and limit are the caller's. id tells
// items apart, and is empty for one that has none.
func all[T any](ctx context.Context, page, limit int, fetch fetcher[T], id func(T) string, opts []PageOption) iter.Seq2[T, error] {
	var o pageOptions
	var refused error
	for _, opt := range opts {
		if err := opt.applyPage(&o); refused == nil {
			refused = err
		}
	}
	if refused == nil && o.prefetch > 0 && new(settings).collect(o.calls).capture != nil {
		refused = invalid("prefetch", "asks for pages at once, of which CaptureResponse takes one")
	}
	if page == 0 {
		page = 1
	}
	if limit == 0 {
		limit = maxPageSize
	}
	return func(yield func(T, error) bool) {
		err := refused
		if err == nil {
			pages := &ahead[T]{ctx: ctx, fetch: fetch, limit: limit, most: o.prefetch, opts: o.calls}
			err = walk(page, pages, id, yield)
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// walk yields the items from page on. Its error is for the caller to yield, when
// nothing runs any more.
func walk[T any](page int, pages *ahead[T], id func(T) string, yield func(T, error) bool) error {
	defer pages.stop()
	var seen recent
	for ; ; page++ {
		got, err := pages.take(page)
		if err != nil {
			return err
		}
		size := len(got.Items)
		seen.largest = max(seen.largest, size, 1)
		more := got.more(page, pages.limit, seen.largest)
		items := slices.DeleteFunc(got.Items, func(item T) bool { return seen.before(id(item)) })
		if seen.stuck(len(items), got.Pagination.Total) {
			more = false
		}
		if more {
			pages.learn(page, got.Pagination.Pages)
		}
		for _, item := range items {
			if !yield(item, nil) {
				return nil
			}
		}
		if !more {
			return nil
		}
	}
}

// more reports whether another page follows p, which was asked for as page with
// limit, where no page was longer than largest. has_next false is believed whatever
// the counts say; true is not, against them. Where nothing says, a full page has
// another after it, also one of the API's default size, for a server that takes no
// limit.
func (p *Page[T]) more(page, limit, largest int) bool {
	size, said := len(p.Items), p.Pagination
	switch {
	case size == 0 || p.saysNext && !said.HasNext:
		return false
	case said.Pages > 0:
		return page < said.Pages
	case p.saysNext:
		return true
	case said.Total > 0:
		return (page-1)*largest+size < said.Total
	}
	return size >= min(limit, defaultPageSize)
}

const (
	// windowPages is how many pages' worth of ids a walk remembers at least.
	windowPages = 8
	// shiftPages is how many pages a list may grow by between two requests, even
	// if no total says so. As many in a row may hold nothing new.
	shiftPages = 2
)

// recent remembers the ids that a walk came upon last, in two halves of which
// the older is forgotten when the younger is a window of its own. An id that
// comes again is not moved up: what matters is how far the walk was thrown back
// from the farthest item that it reached.
type recent struct {
	young, old map[string]struct{}
	largest    int // page so far
	total      int // said by the first page
	stale      int // pages in a row without a new item
}

// before reports whether id came up before, and remembers it.
func (r *recent) before(id string) bool {
	if id == "" {
		return false
	}
	if _, known := r.young[id]; known {
		return true
	}
	if _, known := r.old[id]; known {
		return true
	}
	if r.young == nil {
		r.young, r.old = map[string]struct{}{}, map[string]struct{}{}
	}
	r.young[id] = struct{}{}
	return false
}

// stuck is told of each page, once its items are known to before, and reports
// whether the walk makes no progress. A page of nothing but known items is none
// yet: the list may have grown by just a page.
func (r *recent) stuck(fresh, total int) bool {
	if r.total == 0 {
		r.total = total
	}
	if len(r.young) >= windowPages*r.largest {
		r.young, r.old = r.old, r.young
		clear(r.young)
	}
	if fresh > 0 {
		r.stale = 0
		return false
	}
	r.stale++
	// Growth throws the walk back: it may need as many pages to get on again.
	grown := max(total-r.total, 0) / r.largest
	return r.stale > min(shiftPages+grown, 2*windowPages)
}
