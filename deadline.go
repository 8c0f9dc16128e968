package whozex

import (
	linked "container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// deadlines end attempts that take longer than the time-out. One timer serves
// them all, and is left to run out: a timer for each attempt would wake the
// network poller twice a call, which costs more than the rest of the client.
type deadlines struct {
	timeout time.Duration
	cause   error

	mu      sync.Mutex
	pending linked.List // of *deadline, the earliest first
	running bool        // the timer
}

type deadline struct {
	at     time.Time
	cancel context.CancelCauseFunc
	entry  *linked.Element
}

func newDeadlines(timeout time.Duration) *deadlines {
	return &deadlines{timeout: timeout, cause: errAttemptTimeout{timeout}}
}

// begin returns a context that ends with the time-out or by end, which must be
// called.
func (d *deadlines) begin(parent context.Context, one *deadline) (ctx context.Context) {
	ctx, one.cancel = context.WithCancelCause(parent)
	d.mu.Lock()
	defer d.mu.Unlock()
	one.at = time.Now().Add(d.timeout)
	one.entry = d.pending.PushBack(one)
	if !d.running {
		d.running = true
		time.AfterFunc(d.timeout, d.expire)
	}
	return ctx
}

func (d *deadlines) end(one *deadline) {
	d.mu.Lock()
	d.pending.Remove(one.entry)
	d.mu.Unlock()
	one.cancel(nil)
}

func (d *deadlines) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for entry := d.pending.Front(); entry != nil; entry = d.pending.Front() {
		first := entry.Value.(*deadline)
		if left := time.Until(first.at); left > 0 {
			time.AfterFunc(left, d.expire)
			return
		}
		d.pending.Remove(entry)
		first.cancel(d.cause)
	}
	d.running = false
}

// errAttemptTimeout is the end of an attempt by [WithTimeout].
type errAttemptTimeout struct{ after time.Duration }

func (e errAttemptTimeout) Error() string   { return fmt.Sprintf("no whole answer within %s", e.after) }
func (e errAttemptTimeout) Timeout() bool   { return true }
func (e errAttemptTimeout) Temporary() bool { return true }
func (e errAttemptTimeout) Unwrap() error   { return context.DeadlineExceeded }
