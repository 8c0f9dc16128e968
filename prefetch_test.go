package whozex_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// countedContext counts the contexts that depend on it.
type countedContext struct {
	context.Context
	never chan struct{} // makes package context use AfterFunc
	live  atomic.Int32
}

func (c *countedContext) Done() <-chan struct{} { return c.never }

func (c *countedContext) AfterFunc(func()) func() bool {
	c.live.Add(1)
	return func() bool { c.live.Add(-1); return true }
}

func TestPrefetch_ReleasesContexts(t *testing.T) {
	ctx := &countedContext{Context: context.Background(), never: make(chan struct{})}
	b := &fakeList{items: entries(0, 3000)}
	for _, err := range b.client(t).AllUsers(ctx, whozex.ListUsersParams{}, whozex.Prefetch(3)) {
		require.NoError(t, err)
		require.LessOrEqual(t, ctx.live.Load(), int32(4))
	}
	assert.Zero(t, ctx.live.Load())
}

// The clock of these tests is virtual, so that the order of requests is deterministic.

func TestPrefetch_Break(t *testing.T) {
	leave := map[string]func(seq iter.Seq2[whozex.User, error], at int){
		"break": func(seq iter.Seq2[whozex.User, error], at int) {
			for range seq {
				if at--; at == 0 {
					synctest.Wait()
					break
				}
			}
		},
		"panic": func(seq iter.Seq2[whozex.User, error], at int) {
			defer func() { assert.Equal(t, "in the loop", recover()) }()
			for range seq {
				if at--; at == 0 {
					synctest.Wait()
					panic("in the loop")
				}
			}
		},
		"pull": func(seq iter.Seq2[whozex.User, error], at int) {
			next, stop := iter.Pull2(seq)
			for range at {
				next()
			}
			synctest.Wait()
			stop()
		},
	}
	for name, leaves := range leave {
		for _, prefetch := range []int{0, 1, 3, 8} {
			t.Run(fmt.Sprintf("%s, prefetch %d", name, prefetch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := &fakeList{items: entries(0, 5000), latency: time.Second}
					seq := b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
					began := time.Now()
					leaves(seq, 201)
					// The first page is requested alone, the next two together or one by
					// one. The pages after the third do not delay it.
					took := 3 * time.Second
					if prefetch > 0 {
						took = 2 * time.Second
					}
					assert.Equal(t, took, time.Since(began))
					assert.Zero(t, b.running.Load(), "none is left when the range ends")
					asked := b.requests()
					slices.Sort(asked)
					want := make([]int, 3+prefetch)
					for i := range want {
						want[i] = i + 1
					}
					assert.Equal(t, want, asked)
					time.Sleep(time.Hour) // of a virtual clock
					assert.Len(t, b.requests(), len(want))
				})
			})
		}
	}
}

func TestPrefetch_Cancel(t *testing.T) {
	for _, prefetch := range []int{0, 1, 3, 8} {
		t.Run(fmt.Sprintf("prefetch %d", prefetch), func(t *testing.T) {
			for _, tt := range []struct{ work, late time.Duration }{{}, {late: 500 * time.Millisecond}, {work: time.Minute}} {
				synctest.Test(t, func(t *testing.T) {
					b := &fakeList{items: entries(0, 5000), latency: time.Second}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					var ids []string
					var failures []error
					var began time.Time
					for user, err := range b.client(t).AllUsers(ctx, whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
						if err != nil {
							failures = append(failures, err)
							continue
						}
						if ids = append(ids, user.ID); len(ids) == 100 {
							time.Sleep(tt.work) // of a virtual clock
							synctest.Wait()
							began = time.Now()
							time.AfterFunc(tt.late, cancel)
							if tt.late == 0 {
								cancel()
							}
						}
					}
					assert.Equal(t, numbers(0, 100), ids)
					require.Len(t, failures, 1)
					require.ErrorIs(t, failures[0], context.Canceled)
					assert.Equal(t, tt.late, time.Since(began))
					assert.Zero(t, b.running.Load())
					assert.LessOrEqual(t, len(b.requests()), 2+prefetch)
				})
			}
		})
	}
}

func TestPrefetch_StopsAtAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeList{items: entries(0, 5000), latency: time.Second, refuse: func(page int) (int, string) {
			if page == 5 {
				return 403, refusal("API_DISABLED", "no")
			}
			return 0, ""
		}}
		failures := 0
		var ids []string
		for user, err := range b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(5)) {
			if err != nil {
				require.ErrorIs(t, err, whozex.ErrAPIDisabled)
				failures++
				continue
			}
			if ids = append(ids, user.ID); len(ids)%100 == 1 {
				time.Sleep(time.Minute) // of a virtual clock
			}
		}
		assert.Equal(t, 1, failures)
		assert.Equal(t, numbers(0, 400), ids)
		assert.Len(t, b.requests(), 6, "none is asked for any more once a page has failed")
	})
}

func TestPrefetch_CancelsPagesAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeList{items: entries(0, 5000)}
		ended := map[int]time.Duration{}
		began := time.Now()
		slow := roundTrip(func(req *http.Request) (*http.Response, error) {
			page, _ := strconv.Atoi(req.URL.Query().Get("page"))
			var err error
			if page > 1 {
				takes := time.Minute
				if page == 4 {
					takes = time.Second
				}
				select {
				case <-time.After(takes):
				case <-req.Context().Done():
					err = req.Context().Err()
				}
			}
			b.mu.Lock()
			ended[page] = time.Since(began)
			b.mu.Unlock()
			if page == 4 {
				err = errors.New("page 4")
			}
			if err != nil {
				return nil, err
			}
			return b.RoundTrip(req)
		})
		client, err := whozex.New(testKey, whozex.WithHTTPClient(&http.Client{Transport: slow}), whozex.WithTimeout(time.Hour), whozex.WithMaxRetries(0))
		require.NoError(t, err)
		users, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(4)))
		require.ErrorContains(t, err, "page 4")
		assert.Equal(t, numbers(0, 300), idsOf(users))
		assert.Equal(t, map[int]time.Duration{1: 0, 2: time.Minute, 3: time.Minute, 4: time.Second, 5: time.Second, 6: time.Second}, ended)
	})
}

func TestPrefetch_PagesAhead(t *testing.T) {
	for _, tt := range []struct {
		pages, prefetch int
		work, want      time.Duration // of the reader for a page; of the whole iteration
	}{
		{pages: 40, want: 40 * 20 * time.Millisecond},
		{pages: 40, prefetch: 8, want: 6 * 20 * time.Millisecond},
		{pages: 100, prefetch: 8, want: 12 * 20 * time.Millisecond},
		{pages: 40, prefetch: 1, want: 21 * 20 * time.Millisecond},
		{pages: 40, work: 20 * time.Millisecond, want: 80 * 20 * time.Millisecond},
		{pages: 40, prefetch: 1, work: 20 * time.Millisecond, want: 41 * 20 * time.Millisecond},
		{pages: 40, prefetch: 1000, want: 2 * 20 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d pages, prefetch %d, work %s", tt.pages, tt.prefetch, tt.work), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &fakeList{items: entries(0, 100*tt.pages), latency: 20 * time.Millisecond}
				began, read := time.Now(), 0
				for _, err := range b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(tt.prefetch)) {
					require.NoError(t, err)
					if read++; read%100 == 0 {
						time.Sleep(tt.work) // of a virtual clock
					}
					assert.LessOrEqual(t, slices.Max(b.requests()), min((read+99)/100+tt.prefetch, tt.pages))
				}
				assert.Equal(t, tt.want, time.Since(began))
				assert.Len(t, b.asked, tt.pages)
			})
		})
	}
}

func TestPrefetch_NoPageBeyondTheLast(t *testing.T) {
	t.Run("has_next alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &fakeList{items: entries(0, 550), latency: time.Second, say: func(p whozex.Pagination) map[string]any { return map[string]any{"has_next": p.HasNext} }}
			ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(8))
			require.NoError(t, err)
			assert.Equal(t, numbers(0, 550), ids)
			assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, b.asked)
		})
	})
	t.Run("later responses report more pages", func(t *testing.T) {
		b := &fakeList{items: entries(0, 150), change: func(b *fakeList, page int) {
			if page == 2 {
				b.items = entries(0, 950)
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(8))
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 950), ids)
		assert.Len(t, b.asked, 10)
	})
	t.Run("beyond the end", func(t *testing.T) {
		b := &fakeList{items: entries(0, 150)}
		ids, err := b.all(t, whozex.ListUsersParams{Page: 9}, whozex.Prefetch(8))
		require.NoError(t, err)
		assert.Empty(t, ids)
		assert.Equal(t, []int{9}, b.asked)
	})
}

func TestPrefetch_Limiter(t *testing.T) {
	waits := make(chan struct{}, 100)
	b := &fakeList{items: entries(0, 1050)}
	client := b.client(t, whozex.WithLimiter(limiterFunc(func(context.Context) error { waits <- struct{}{}; return nil })))
	_, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(8)))
	require.NoError(t, err)
	assert.Len(t, waits, 11)
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }
