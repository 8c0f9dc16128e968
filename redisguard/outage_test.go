package redisguard_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/webhookverify"
)

// changes collects what WithOnOutage reports.
type changes struct {
	mu  sync.Mutex
	all []error
}

func (c *changes) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, err)
}

func TestWithOnOutage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		use  func(*testing.T, server, redisguard.Option) (call func() error)
	}{
		{name: "limiter", use: func(t *testing.T, r server, hook redisguard.Option) func() error {
			limiter := newLimiter(t, r, highLimit, redisguard.FailOpen(rate.NewLimiter(rate.Inf, 1)), hook, patient)
			return func() error { return limiter.Wait(t.Context()) }
		}},
		{name: "store", use: func(t *testing.T, r server, hook redisguard.Option) func() error {
			store := newStore(t, r, hook, patient, redisguard.WithLocalStore(webhookverify.NewMemoryReplayStore(time.Hour, 1000)))
			return func() error {
				if err := store.Begin(t.Context(), "a"); err != nil {
					return err
				}
				if err := store.Abort(t.Context(), "a"); !errors.Is(err, redisguard.ErrUnavailable) {
					return err
				}
				return nil
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			var seen changes
			call := tt.use(t, r, redisguard.WithOnOutage(seen.add))
			reported := func() []error {
				assert.NoError(t, call(), "it goes on without Redis")
				seen.mu.Lock()
				defer seen.mu.Unlock()
				return append([]error(nil), seen.all...)
			}
			require.Empty(t, reported())
			r.kill()
			require.Eventually(t, func() bool { return len(reported()) == 1 }, 15*time.Second, 10*time.Millisecond)
			assert.Len(t, reported(), 1, "a change is reported once")
			r.restart()
			require.Eventually(t, func() bool { return len(reported()) == 2 }, 15*time.Second, 20*time.Millisecond)
			all := reported()
			require.ErrorIs(t, all[0], redisguard.ErrUnavailable)
			assert.NoError(t, all[1])
		})
	}
	_, err := redisguard.NewReplayStore(connect(t, startRedis(t)), redisguard.WithOnOutage(nil))
	require.Error(t, err)
}
