package whozex

import (
	"context"
	"slices"
	"sync"
)

// Prefetch asks for up to so many pages ahead of the reader, at once, and keeps
// their order; 0, the default, asks for a page when the reader gets to it. It
// takes the memory of so many pages more. A negative number is refused with a
// [*ParamError].
//
// The first page is asked for alone, since its answer says how many there are,
// and no more than that are asked for; where an answer does not say, one page
// ahead is the most. Limiter, pauses and retries are those of any other call. An
// error comes after the items of the pages before it. When the range ends, in
// whatever way, the requests in flight are cancelled and waited for.
//
// Pages asked for at once may be answered out of order. From a list that grows
// meanwhile items may then be skipped, as otherwise only from one that shrinks.
func Prefetch(pages int) PageOption {
	return pageOption(func(o *pageOptions) error {
		if pages < 0 {
			return invalid("prefetch", "must not be negative, not %d", pages)
		}
		o.prefetch = pages
		return nil
	})
}

// ahead gets the pages of a walk, and asks for them before they are taken. Its
// methods are for the goroutine of the walk alone.
type ahead[T any] struct {
	ctx   context.Context
	fetch fetcher[T]
	limit int
	opts  []CallOption
	most  int // pages ahead
	asked int // the last page asked for ahead
	last  int // page that is said to be there

	running sync.WaitGroup

	mu      sync.Mutex
	waiting []*answered[T] // asked for and not taken, in order
	stopped bool
}

// answered is a page asked for ahead. got and err may be read when done is closed.
type answered[T any] struct {
	cancel context.CancelFunc
	done   chan struct{}
	got    *Page[T]
	err    error
}

// take returns a page, which is the one after that taken last. A reader that
// waits for it is at it already.
func (a *ahead[T]) take(page int) (*Page[T], error) {
	a.reach(page)
	next := a.shift()
	if next == nil || a.ctx.Err() != nil {
		return a.fetch(a.ctx, page, a.limit, a.opts...)
	}
	<-next.done
	return next.got, next.err
}

func (a *ahead[T]) shift() *answered[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		return nil
	}
	next := a.waiting[0]
	a.waiting = slices.Delete(a.waiting, 0, 1)
	return next
}

// learn is told, by the answer for page, of count pages or, if that is 0, of at
// least one more.
func (a *ahead[T]) learn(page, count int) {
	a.last = count
	if count <= 0 {
		a.last = page + 1
	}
	a.reach(page)
}

// reach asks for what may be asked for while the reader is at page.
func (a *ahead[T]) reach(page int) {
	for next := max(page, a.asked) + 1; next <= a.last && next-page <= a.most && a.ask(next); next++ {
		a.asked = next
	}
}

// ask reports whether there was still a reason to ask.
func (a *ahead[T]) ask(page int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return false
	}
	ctx, cancel := context.WithCancel(a.ctx)
	next := &answered[T]{cancel: cancel, done: make(chan struct{})}
	a.waiting = append(a.waiting, next)
	a.running.Go(func() {
		defer close(next.done)
		defer cancel()
		if next.got, next.err = a.fetch(ctx, page, a.limit, a.opts...); next.err != nil {
			a.stopAfter(next)
		}
	})
	return true
}

// stopAfter cancels what was asked for after failed, to which the reader will
// not get. If failed was taken, or is nil, that is all that waits.
func (a *ahead[T]) stopAfter(failed *answered[T]) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
	for _, later := range a.waiting[slices.Index(a.waiting, failed)+1:] {
		later.cancel()
	}
}

// stop ends all that runs, and returns when nothing does.
func (a *ahead[T]) stop() {
	a.stopAfter(nil)
	a.running.Wait()
}
