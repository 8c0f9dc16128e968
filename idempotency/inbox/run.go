package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/whozex/whozex-go/webhookverify"
)

// Run hands events to handle, by [WithWorkers] at once, until ctx ends, and then
// waits for those that are being handled. Their contexts do not end with ctx, but
// by [WithTimeout]. handle has the type that [webhookverify.Mux.Handle] and
// idempotency's HandleEvent have; inside it, [Commit] writes to the store.
//
// An error of the database goes to [WithErrorHandler], and Run goes on. It panics
// if handle is nil.
func (in *Inbox) Run(ctx context.Context, handle func(context.Context, *webhookverify.Event) error) {
	if handle == nil {
		panic("inbox: nil function for Run")
	}
	var workers sync.WaitGroup
	workers.Go(func() { in.housekeep(ctx) })
	for range in.workers {
		workers.Go(func() { in.work(ctx, handle) })
	}
	workers.Wait()
}

// housekeep repairs, once in each lease, what a clock that was set back has done, and
// deletes what [WithRetention] does not keep.
func (in *Inbox) housekeep(ctx context.Context) {
	ticker := time.NewTicker(in.lease)
	defer ticker.Stop()
	for ctx.Err() == nil {
		_ = in.limitWaits(ctx) // a database that is away is reported by the workers
		if in.retention > 0 {
			if _, err := in.Purge(ctx, time.Now().Add(-in.retention)); err != nil && ctx.Err() == nil {
				in.report(nil, err)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

func (in *Inbox) work(ctx context.Context, handle func(context.Context, *webhookverify.Event) error) {
	for ctx.Err() == nil {
		j, err := in.next(ctx)
		if j != nil {
			in.handle(ctx, j, handle)
			continue
		}
		received := in.received
		if err != nil {
			in.report(nil, fmt.Errorf("inbox: claim an event: %w", err))
			received = nil // a database that is away has no use for haste
		}
		timer := time.NewTimer(in.poll)
		select {
		case <-received:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// next claims an event. The end of ctx does not break a claim off in the middle:
// nobody would know of it until its lease is over.
func (in *Inbox) next(ctx context.Context) (*job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return in.claim(ctx)
}

func (in *Inbox) handle(ctx context.Context, j *job, handle func(context.Context, *webhookverify.Event) error) {
	ctx = context.WithoutCancel(ctx)
	in.step(StepClaimed)
	err := fmt.Errorf("%w: its workers died", ErrPermanent)
	if j.Attempts <= in.attempts {
		err = j.call(ctx, handle)
		in.step(StepHandled)
	}
	if !j.done.Load() {
		end, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		err = errors.Join(err, j.conclude(end, err))
	}
	if err != nil {
		in.report(j.Event, err)
	}
}

// conclude ends an attempt whose handler has not called Commit.
func (j *job) conclude(ctx context.Context, err error) error {
	in := j.inbox
	switch {
	case err == nil:
		return j.end(ctx, Done, "", 0, nil)
	case errors.Is(err, ErrPermanent), j.Attempts >= in.attempts:
		return j.end(ctx, Dead, short(err), 0, nil)
	}
	wait := in.minBackoff
	for n := int64(1); n < j.Attempts && wait < in.maxBackoff; n++ {
		wait *= 2
	}
	return j.end(ctx, Waiting, short(err), min(wait, in.maxBackoff), nil)
}

// call runs the handler once, and renews the lease until it returns.
func (j *job) call(ctx context.Context, handle func(context.Context, *webhookverify.Event) error) (err error) {
	claimed, lost := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	defer renewing.Wait()
	defer lost(nil)
	renewing.Go(func() { j.keep(claimed, lost) })
	attempt, cancel := context.WithTimeout(claimed, j.inbox.timeout)
	defer cancel()
	defer func() {
		if value := recover(); value != nil {
			err = &webhookverify.PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	return handle(context.WithValue(attempt, jobKey{}, j), j.Event)
}

// keep renews the lease until ctx ends, and ends it if the claim is lost.
func (j *job) keep(ctx context.Context, lost context.CancelCauseFunc) {
	ticker := time.NewTicker(max(j.inbox.lease/3, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// An error says nothing of the claim; the next tick asks again.
		held, err := j.renew(ctx)
		if err == nil && !held && !j.done.Load() {
			lost(ErrLost)
			return
		}
	}
}

type jobKey struct{}

// FromContext returns a copy of the entry that a handler of [Inbox.Run] is at, by
// the handler's context: for its attempt, and when it was received.
func FromContext(ctx context.Context) (Entry, bool) {
	j, ok := ctx.Value(jobKey{}).(*job)
	if !ok {
		return Entry{}, false
	}
	return *j.Entry, true
}

// Commit runs write in the transaction that marks the event of ctx as done, which
// is a context that [Inbox.Run] gave to its handler: both are committed or neither.
// It is for the end of a handler, once. The transaction is of the store's database;
// as SQLite has one connection, write must use nothing but tx.
//
// On an error nothing is written, and the handler returns it to be tried again. It
// is [ErrLost] if the claim is gone. After a Commit that returned nil the event is
// done, whatever the handler returns.
func Commit(ctx context.Context, write func(tx *sql.Tx) error) error {
	j, ok := ctx.Value(jobKey{}).(*job)
	if !ok || !j.done.CompareAndSwap(false, true) {
		return errors.New("inbox: Commit is for a handler of Run, once")
	}
	ended := false
	defer func() { j.done.Store(ended) }() // write may panic
	if err := j.end(ctx, Done, "", 0, write); err != nil {
		return fmt.Errorf("inbox: commit %s: %w", j.Event.ID, err)
	}
	ended = true
	return nil
}

// short bounds what a handler's error may store.
func short(err error) string {
	const most = 1000
	s := err.Error()
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) && len(s) > most-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return s + "…"
}
