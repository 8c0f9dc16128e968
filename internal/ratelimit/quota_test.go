package ratelimit

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pass makes a request whose outcome is o and returns how long it waited.
func pass(t *testing.T, l *Limiter, o Outcome) time.Duration {
	t.Helper()
	began := time.Now()
	p, err := l.Wait(t.Context())
	require.NoError(t, err)
	l.Done(p, o)
	return time.Since(began)
}

func TestAnExhaustedWindowIsWaitedOut(t *testing.T) {
	tests := []struct {
		name  string
		quota Quota
		wait  time.Duration
	}{
		{name: "until the reset", quota: Quota{Limit: 100, Window: 30 * time.Second, Reset: 20 * time.Second}, wait: 20 * time.Second},
		{name: "of less than a second", quota: Quota{Limit: 100, Window: 30 * time.Second, Reset: time.Second}, wait: time.Second},
		{name: "for no longer than the longest pause", quota: Quota{Limit: 100, Window: time.Hour, Reset: time.Hour}, wait: time.Minute},
		{name: "but not in a second that may be over", quota: Quota{Limit: 100, Window: time.Second, Reset: time.Second}, wait: 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(System{}, time.Minute)
				assert.Zero(t, pass(t, l, Outcome{Quota: &test.quota}))
				waited := pass(t, l, Outcome{})
				assert.GreaterOrEqual(t, waited, test.wait)
				assert.Less(t, waited, test.wait+time.Second)
			})
		})
	}
}

func TestReportsOfOneWindowComeInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(System{}, time.Minute)
		for _, remaining := range []int{7, 9, 8} {
			pass(t, l, Outcome{Quota: &Quota{Limit: 10, Remaining: remaining, Window: 30 * time.Second, Reset: 30 * time.Second}})
		}
		assert.Equal(t, 7, l.State().Quota.Remaining)
		time.Sleep(25 * time.Second) // of a virtual clock
		pass(t, l, Outcome{Quota: &Quota{Limit: 10, Remaining: 9, Window: 30 * time.Second, Reset: 30 * time.Second}})
		assert.Equal(t, 9, l.State().Quota.Remaining, "the next window")
	})
}

func TestAReportThatIsNotRepeatedIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(System{}, time.Minute)
		pass(t, l, Outcome{Quota: &Quota{Limit: 10, Remaining: 9, Window: time.Second, Reset: time.Second}})
		pass(t, l, Outcome{})
		assert.NotNil(t, l.State().Quota, "one response without a report proves nothing")
		time.Sleep(2 * time.Minute) // of a virtual clock
		pass(t, l, Outcome{})
		assert.Equal(t, State{}, l.State())
		assert.Zero(t, pass(t, l, Outcome{}))
	})
}
