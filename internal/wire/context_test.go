package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAttemptContext(t *testing.T) {
	var (
		errParent  = errors.New("the call ended")
		errTimeout = errors.New("the attempt timed out")
	)
	parent, cancelParent := context.Background(), context.CancelCauseFunc(nil)
	for _, test := range []struct {
		name  string
		end   func(*Attempt)
		err   error
		cause error
	}{
		{name: "running", end: func(*Attempt) {}},
		{name: "stopped", end: (*Attempt).Stop, err: context.Canceled, cause: context.Canceled},
		{name: "timed out", end: func(*Attempt) {
			time.Sleep(time.Minute) // of a virtual clock
			synctest.Wait()
		}, err: context.Canceled, cause: errTimeout},
		{name: "call ended", end: func(*Attempt) { cancelParent(errParent) }, err: context.Canceled, cause: errParent},
		{name: "loop", end: func(a *Attempt) { a.ctx.cancel(ErrReconnects) }, err: context.Canceled, cause: ErrReconnects},
	} {
		for _, waits := range []struct {
			name string
			wait func(context.Context) context.Context
		}{
			{name: "nobody waits before", wait: func(ctx context.Context) context.Context { return ctx }},
			{name: "somebody waits before", wait: func(ctx context.Context) context.Context { ctx.Done(); return ctx }},
			{name: "a derived context waits", wait: func(ctx context.Context) context.Context {
				derived, cancel := context.WithCancel(ctx)
				t.Cleanup(cancel)
				return derived
			}},
		} {
			t.Run(test.name+", "+waits.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancelParent = context.WithCancelCause(t.Context())
					a := new(Attempt)
					ctx := waits.wait(a.Start(parent, time.Minute, errTimeout))
					defer a.Stop()
					test.end(a)
					assert.Same(t, a, FromContext(ctx))
					assert.Equal(t, test.err, ctx.Err())
					assert.Equal(t, test.cause, context.Cause(ctx))
					select {
					case <-ctx.Done():
						assert.Error(t, test.err)
					default:
						assert.NoError(t, test.err)
					}
				})
			})
		}
	}
}
