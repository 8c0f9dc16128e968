package whozex

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// PageOption configures an iteration: [Prefetch], or any [CallOption] for the call of each
// page. An iterator yields a [*ParamError] for an invalid value.
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

// Collect returns all items of an iterator. If it ends with an error, Collect returns the
// items before it and the error.
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

// fetcher requests one page of a list.
type fetcher[T any] func(ctx context.Context, page, limit int, opts ...CallOption) (*Page[T], error)

// all returns the iterator over a list; page and limit are the caller's. id identifies an
// item, and is empty for one without an id.
func all[T any](ctx context.Context, page, limit int, fetch fetcher[T], id func(T) string, opts []PageOption) iter.Seq2[T, error] {
	var o pageOptions
	var refused error
	for _, opt := range opts {
		if err := opt.applyPage(&o); refused == nil {
			refused = err
		}
	}
	if refused == nil && o.prefetch > 0 && new(settings).collect(o.calls).capture != nil {
		refused = invalid("prefetch", "cannot be combined with CaptureResponse, which takes one response")
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
			pages := &prefetcher[T]{ctx: ctx, fetch: fetch, limit: limit, depth: o.prefetch, opts: o.calls}
			err = iterate(page, pages, id, yield)
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// iterate yields the items from page on. The caller yields its error after all requests
// have ended.
func iterate[T any](page int, pages *prefetcher[T], id func(T) string, yield func(T, error) bool) error {
	defer pages.stop()
	var seen seenWindow
	for ; ; page++ {
		got, err := pages.next(page)
		if err != nil {
			return err
		}
		size := len(got.Items)
		seen.largest = max(seen.largest, size, 1)
		more := got.more(page, pages.limit, seen.largest)
		items := slices.DeleteFunc(got.Items, func(item T) bool { return seen.repeated(id(item)) })
		if seen.noProgress(len(items), got.Pagination.Total) {
			more = false
		}
		if more {
			pages.setLast(page, got.Pagination.Pages)
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

// more reports whether a page follows p, which was requested as page with limit, if no
// page was longer than largest. has_next false ends the iteration whatever the counts
// say; true does not override them. Without either, a page follows a full one, including
// one of the API's default size, for a server that ignores limit.
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
	// windowPages is the least number of pages whose ids the iterator remembers.
	windowPages = 8
	// shiftPages is how many pages a list may grow by between two requests, even if no
	// total shows that. As many pages in a row may have no new item.
	shiftPages = 2
)

// seenWindow remembers the latest ids in two sets. When the current one is a full window,
// it becomes the previous one. A repeated id is not moved to the current set: what
// matters is its distance from the last new item.
type seenWindow struct {
	current, previous map[string]struct{}
	largest           int // the longest page so far
	total             int // in the response for the first page
	stalePages        int // pages in a row without a new item
}

// repeated reports whether id was seen before, and adds it.
func (r *seenWindow) repeated(id string) bool {
	if id == "" {
		return false
	}
	if _, known := r.current[id]; known {
		return true
	}
	if _, known := r.previous[id]; known {
		return true
	}
	if r.current == nil {
		r.current, r.previous = map[string]struct{}{}, map[string]struct{}{}
	}
	r.current[id] = struct{}{}
	return false
}

// noProgress reports whether the iteration has stopped making progress. It is called
// after the items of each page were passed to repeated. One page without a new item is
// progress: the list may have grown by a page.
func (r *seenWindow) noProgress(fresh, total int) bool {
	if r.total == 0 {
		r.total = total
	}
	if len(r.current) >= windowPages*r.largest {
		r.current, r.previous = r.previous, r.current
		clear(r.current)
	}
	if fresh > 0 {
		r.stalePages = 0
		return false
	}
	r.stalePages++
	// A list that has grown may take as many pages to reach a new item again.
	grown := max(total-r.total, 0) / r.largest
	return r.stalePages > min(shiftPages+grown, 2*windowPages)
}

// Prefetch requests up to pages pages ahead of the reader, concurrently; items are still
// yielded in order. With 0, the default, a page is requested when the reader reaches it.
// It keeps that many pages in memory. A negative number is refused with a [*ParamError].
//
// The first page is requested alone, since its response has the number of pages. If it
// does not, at most one page is requested ahead. Limiter, pauses and retries are those of
// any other call. An error is yielded after the items of the pages before it. When the
// range ends, requests in flight are cancelled, and the iterator waits for them.
//
// The server may read concurrent pages out of order. If the list grows meanwhile, items
// may be missed; without Prefetch that happens only if it shrinks.
func Prefetch(pages int) PageOption {
	return pageOption(func(o *pageOptions) error {
		if pages < 0 {
			return invalid("prefetch", "must not be negative, not %d", pages)
		}
		o.prefetch = pages
		return nil
	})
}

// prefetcher returns the pages of an iteration, and requests them ahead. Only the goroutine
// of the iteration may call its methods.
type prefetcher[T any] struct {
	ctx       context.Context
	fetch     fetcher[T]
	limit     int
	opts      []CallOption
	depth     int // pages ahead
	requested int // the last page requested ahead
	last      int // the last page of the list, as far as known

	running sync.WaitGroup

	mu      sync.Mutex
	pending []*pendingPage[T] // requested and not yet returned, in order
	stopped bool
}

// pendingPage is a page requested ahead. page and err may be read after done is closed.
type pendingPage[T any] struct {
	cancel context.CancelFunc
	done   chan struct{}
	page   *Page[T]
	err    error
}

// next returns the next page.
func (a *prefetcher[T]) next(page int) (*Page[T], error) {
	a.fill(page)
	next := a.shift()
	if next == nil || a.ctx.Err() != nil {
		return a.fetch(a.ctx, page, a.limit, a.opts...)
	}
	<-next.done
	return next.page, next.err
}

func (a *prefetcher[T]) shift() *pendingPage[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending) == 0 {
		return nil
	}
	next := a.pending[0]
	a.pending = slices.Delete(a.pending, 0, 1)
	return next
}

// setLast sets the last page after the response for page: count or, if that is 0, the page
// after this one.
func (a *prefetcher[T]) setLast(page, count int) {
	a.last = count
	if count <= 0 {
		a.last = page + 1
	}
	a.fill(page)
}

// fill requests pages ahead while the reader is at page.
func (a *prefetcher[T]) fill(page int) {
	for next := max(page, a.requested) + 1; next <= a.last && next-page <= a.depth && a.request(next); next++ {
		a.requested = next
	}
}

// request requests page, and reports false after a page has failed.
func (a *prefetcher[T]) request(page int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return false
	}
	ctx, cancel := context.WithCancel(a.ctx)
	next := &pendingPage[T]{cancel: cancel, done: make(chan struct{})}
	a.pending = append(a.pending, next)
	a.running.Go(func() {
		defer close(next.done)
		defer cancel()
		if next.page, next.err = a.fetch(ctx, page, a.limit, a.opts...); next.err != nil {
			a.stopAfter(next)
		}
	})
	return true
}

// stopAfter cancels the requests after failed, which the reader will not reach. If failed
// was returned already, or is nil, it cancels all.
func (a *prefetcher[T]) stopAfter(failed *pendingPage[T]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	for _, later := range a.pending[slices.Index(a.pending, failed)+1:] {
		later.cancel()
	}
}

// stop cancels all requests and waits for them.
func (a *prefetcher[T]) stop() {
	a.stopAfter(nil)
	a.running.Wait()
}
