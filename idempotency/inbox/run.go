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

// Run passes events to handle, [WithWorkers] at a time, until ctx ends, and then waits
// for the handlers that are running. Their contexts do not end with ctx, only after
// [WithTimeout]. handle may be [webhookverify.Mux.Handle] or idempotency's HandleEvent;
// inside it, [Commit] writes to the store.
//
// Errors of the database go to [WithErrorHandler], and Run continues. It panics if
// handle is nil.
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

// housekeep runs once per lease. It bounds the waits that became too long when the
// database's clock was set back, and deletes events by [WithRetention].
func (in *Inbox) housekeep(ctx context.Context) {
	ticker := time.NewTicker(in.lease)
	defer ticker.Stop()
	for ctx.Err() == nil {
		_ = in.limitWaits(ctx) // the workers report a database that is unreachable
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
			received = nil // wait for the poll, so as not to retry in a hot loop
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

// next claims an event. It does not stop when ctx ends: a claim that was made but not
// read would block its event until the lease expires.
func (in *Inbox) next(ctx context.Context) (*job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	return in.claim(ctx)
}

func (in *Inbox) handle(ctx context.Context, j *job, handle func(context.Context, *webhookverify.Event) error) {
	ctx = context.WithoutCancel(ctx)
	in.step(StepClaimed)
	err := fmt.Errorf("%w: the worker died in each attempt", ErrPermanent)
	if j.Attempts <= in.attempts {
		err = j.call(ctx, handle)
		in.step(StepHandled)
	}
	if !j.done.Load() {
		end, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		err = errors.Join(err, j.finish(end, err))
	}
	if err != nil {
		in.report(j.Event, err)
	}
}

// finish writes the state after an attempt whose handler has not called Commit.
func (j *job) finish(ctx context.Context, err error) error {
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

// keep renews the lease until ctx ends, and cancels ctx if the claim is lost.
func (j *job) keep(ctx context.Context, lost context.CancelCauseFunc) {
	ticker := time.NewTicker(max(j.inbox.lease/3, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// After an error the claim may still hold; the next tick tries again.
		held, err := j.renew(ctx)
		if err == nil && !held && !j.done.Load() {
			lost(ErrLost)
			return
		}
	}
}

type jobKey struct{}

// FromContext returns a copy of the entry that a handler of [Inbox.Run] is handling,
// from the handler's context. It has the number of the attempt and the time of receipt.
func FromContext(ctx context.Context) (Entry, bool) {
	j, ok := ctx.Value(jobKey{}).(*job)
	if !ok {
		return Entry{}, false
	}
	return *j.Entry, true
}

// Commit runs write in the transaction that marks the event of ctx as done: both are
// committed or neither. ctx must come from the context that [Inbox.Run] passed to its
// handler. Call Commit once, at the end of the handler. The transaction is one of the
// store's database; use only tx in write, since SQLite has one connection.
//
// On an error nothing is written; return the error from the handler to have the event
// retried. It is [ErrLost] if the claim was lost. After Commit has returned nil the
// event is done, whatever the handler returns.
func Commit(ctx context.Context, write func(tx *sql.Tx) error) error {
	j, ok := ctx.Value(jobKey{}).(*job)
	if !ok || !j.done.CompareAndSwap(false, true) {
		return errors.New("inbox: Commit may be called once, in a handler of Run")
	}
	ended := false
	defer func() { j.done.Store(ended) }() // write may panic
	if err := j.end(ctx, Done, "", 0, write); err != nil {
		return fmt.Errorf("inbox: commit %s: %w", j.Event.ID, err)
	}
	ended = true
	return nil
}

// short returns the text of err, cut to what the table stores.
func short(err error) string {
	const limit = 1000
	s := err.Error()
	if len(s) <= limit {
		return s
	}
	s = s[:limit]
	for !utf8.ValidString(s) && len(s) > limit-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return s + "…"
}
