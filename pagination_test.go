package whozex_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// book is an API with one list, answering without a network.
type book struct {
	key     string                                         // of the items, "users" if empty
	latency time.Duration                                  // of each page
	change  func(b *book, page int)                        // the list, before a page is answered
	say     func(p whozex.Pagination) map[string]any       // in place of what is true
	refuse  func(page int) (status int, body string)       // 0 to respond as usual
	see     func(req *http.Request)                        // each request, while the book is locked
	page    func(b *book, page, limit int) (items []entry) // in place of what is there

	running atomic.Int32 // requests

	mu    sync.Mutex
	items []entry
	asked []int // pages, in the order of the requests
	limit int   // last asked for
	query url.Values
}

type entry struct {
	ID      string `json:"id,omitempty"`
	Note    string `json:"note,omitempty"`
	Balance int    `json:"balance"` // which a user must have
}

func entries(from, to int) []entry {
	items := make([]entry, 0, max(to-from, 0))
	for i := from; i < to; i++ {
		items = append(items, entry{ID: strconv.Itoa(i)})
	}
	return items
}

func (b *book) RoundTrip(req *http.Request) (*http.Response, error) {
	b.running.Add(1)
	defer b.running.Add(-1)
	query := req.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	status, body := b.answer(req, query, page, limit)
	if b.latency > 0 {
		select {
		case <-time.After(b.latency):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

func (b *book) answer(req *http.Request, query url.Values, page, limit int) (int, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked, b.limit, b.query = append(b.asked, page), limit, query
	if b.see != nil {
		b.see(req)
	}
	if b.change != nil {
		b.change(b, page)
	}
	if b.refuse != nil {
		if status, body := b.refuse(page); status != 0 {
			return status, body
		}
	}
	items := b.items[min((page-1)*limit, len(b.items)):min(page*limit, len(b.items))]
	if b.page != nil {
		items = b.page(b, page, limit)
	}
	count := pagesOf(len(b.items), limit)
	said := whozex.Pagination{Total: len(b.items), Page: page, Limit: limit, Pages: count, HasNext: page < count, HasPrev: page > 1}
	data := map[string]any{"users": items}
	if b.key != "" {
		data = map[string]any{b.key: items}
	}
	if b.say == nil {
		data["pagination"] = said
	} else if instead := b.say(said); instead != nil {
		data["pagination"] = instead
	}
	encoded, err := json.Marshal(data)
	if err != nil {
		return http.StatusTeapot, err.Error()
	}
	return http.StatusOK, ok(string(encoded))
}

func (b *book) requests() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// grow puts n items that nobody has seen in front of all others.
func (b *book) grow(n int) {
	fresh := make([]entry, n)
	for i := range fresh {
		fresh[i].ID = fmt.Sprintf("new-%d-%d", len(b.items), i)
	}
	b.items = append(fresh, b.items...)
}

func pagesOf(total, limit int) int { return max((total+limit-1)/limit, 1) }

func (b *book) client(t testing.TB, opts ...whozex.Option) *whozex.Client {
	t.Helper()
	opts = append([]whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: b}), whozex.WithBackoff(0, 0)}, opts...)
	client, err := whozex.New(testKey, opts...)
	require.NoError(t, err)
	return client
}

// all reads to the end, and gives the ids.
func (b *book) all(t testing.TB, params whozex.ListUsersParams, opts ...whozex.PageOption) ([]string, error) {
	t.Helper()
	users, err := whozex.Collect(b.client(t).AllUsers(t.Context(), params, opts...))
	return idsOf(users), err
}

func idsOf(users []whozex.User) []string {
	ids := make([]string, len(users))
	for i, user := range users {
		ids[i] = user.ID
	}
	return ids
}

func numbers(from, to int) []string {
	ids := make([]string, 0, max(to-from, 0))
	for i := from; i < to; i++ {
		ids = append(ids, strconv.Itoa(i))
	}
	return ids
}

// withAndWithout runs test as one page after the other and with pages read ahead.
func withAndWithout(t *testing.T, test func(t *testing.T, prefetch int)) {
	t.Helper()
	for _, prefetch := range []int{0, 1, 3, 8} {
		t.Run(fmt.Sprintf("prefetch %d", prefetch), func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			test(t, prefetch)
		})
	}
}

func TestAllGivesEachItemOnceAndInOrder(t *testing.T) {
	for _, total := range []int{0, 1, 100, 101, 1050} {
		withAndWithout(t, func(t *testing.T, prefetch int) {
			srv := whozextest.NewServer(whozextest.WithUsers(total))
			defer srv.Close()
			client := srv.Client()
			defer client.CloseIdleConnections()
			var emails []string
			for user, err := range client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
				require.NoError(t, err)
				emails = append(emails, user.Email)
			}
			require.Len(t, emails, total)
			slices.Sort(emails)
			assert.Len(t, slices.Compact(emails), total)
			assert.Equal(t, pagesOf(total, 100), srv.Requests(whozex.OpListUsers))

			b := &book{items: entries(0, total)}
			ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
			require.NoError(t, err)
			assert.Equal(t, numbers(0, total), ids)
			assert.Equal(t, 100, b.limit)
			assert.Len(t, b.asked, pagesOf(total, 100))
		})
	}
}

func TestAllTransactionsWalksTheHistoryOfOneType(t *testing.T) {
	srv := whozextest.NewServer()
	defer srv.Close()
	client := srv.Client()
	user, err := client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@example.com"})
	require.NoError(t, err)
	_, err = client.AddBalance(t.Context(), user.ID, dec("100"), "")
	require.NoError(t, err)
	bought, err := client.PurchasePackage(t.Context(), user.ID, whozex.PurchasePackageParams{GB: 10, ProxyType: whozex.ProxyResidential})
	require.NoError(t, err)
	for range 3 {
		_, err = client.AddGB(t.Context(), bought.ID, whozex.AddGBParams{GB: 10})
		require.NoError(t, err)
	}
	for kind, want := range map[whozex.TransactionType]int{whozex.TransactionPurchase: 1, whozex.TransactionAddGB: 3} {
		got, err := whozex.Collect(client.AllTransactions(t.Context(), whozex.ListTransactionsParams{Type: kind, Limit: 1}, whozex.Prefetch(2)))
		require.NoError(t, err)
		require.Len(t, got, want)
		for _, entry := range got {
			assert.Equal(t, kind, entry.Type)
			assert.Positive(t, len(entry.RawJSON()))
		}
	}
}

func TestAllPassesFiltersOnEachPage(t *testing.T) {
	b := &book{items: entries(0, 25)}
	queries := map[string]int{}
	b.see = func(req *http.Request) { queries[req.URL.Path+" "+b.query.Get("search")+b.query.Get("type")]++ }
	client := b.client(t)
	_, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{Limit: 10, Search: "a&b"}, whozex.Prefetch(2)))
	require.NoError(t, err)
	_, err = whozex.Collect(client.AllTransactions(t.Context(), whozex.ListTransactionsParams{Limit: 10, Type: whozex.TransactionDeposit}))
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"/v1/users a&b": 3, "/v1/account/transactions deposit": 3}, queries)
}

func TestAllFindsItemsWhateverTheirKey(t *testing.T) {
	for _, key := range []string{"users", "transactions", "sub_users", "items", "data"} {
		b := &book{items: entries(0, 250), key: key}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err, key)
		assert.Equal(t, numbers(0, 250), ids, key)
	}
}

func TestAllGoesOnWithoutPaginationWhilePagesAreFull(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &book{items: entries(0, 250), say: func(whozex.Pagination) map[string]any { return nil }}
		ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 250), ids)
		assert.Equal(t, []int{1, 2, 3, 4}, b.asked, "50 items may be a full page of a server that takes no limit")
	})
}

func TestAllReadsToTheEndWhateverThePaginationSays(t *testing.T) {
	for _, tt := range []struct {
		name   string
		say    func(whozex.Pagination) map[string]any
		size   int  // of the server's pages, whatever the request asks for
		beside bool // pagination stands beside the data
	}{
		{name: "nothing", say: func(whozex.Pagination) map[string]any { return nil }},
		{name: "nothing, in pages of the API's default size", say: func(whozex.Pagination) map[string]any { return nil }, size: 20},
		{name: "an empty object", say: func(whozex.Pagination) map[string]any { return map[string]any{} }},
		{name: "the total alone", say: func(p whozex.Pagination) map[string]any { return map[string]any{"total": p.Total} }},
		{name: "the total alone, in small pages", say: func(p whozex.Pagination) map[string]any { return map[string]any{"total": p.Total} }, size: 7},
		{name: "the pages alone", say: func(p whozex.Pagination) map[string]any { return map[string]any{"pages": p.Pages} }},
		{name: "has_next alone", say: func(p whozex.Pagination) map[string]any { return map[string]any{"has_next": p.HasNext} }, size: 7},
		{name: "has_next that cannot be read", say: func(p whozex.Pagination) map[string]any {
			return map[string]any{"has_next": "perhaps", "page": p.Page, "pages": p.Pages}
		}},
		{name: "text", say: func(p whozex.Pagination) map[string]any {
			return map[string]any{"total": fmt.Sprint(p.Total), "page": fmt.Sprint(p.Page), "pages": fmt.Sprint(p.Pages), "has_next": fmt.Sprint(p.HasNext)}
		}},
		{name: "everything, beside the data", beside: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withAndWithout(t, func(t *testing.T, prefetch int) {
				b := &book{items: entries(0, 250), say: tt.say}
				limit := 100
				if tt.size > 0 {
					limit = tt.size
					b.page = func(b *book, page, _ int) []entry {
						return b.items[min((page-1)*limit, 250):min(page*limit, 250)]
					}
					say := tt.say
					b.say = func(p whozex.Pagination) map[string]any {
						p.Pages = pagesOf(250, limit)
						p.HasNext = p.Page < p.Pages
						return say(p)
					}
				}
				if tt.beside {
					b.refuse = func(page int) (int, string) {
						items, err := json.Marshal(b.items[(page-1)*limit : min(page*limit, 250)])
						require.NoError(t, err)
						return 200, fmt.Sprintf(`{"success":true,"data":%s,"pagination":{"total":250,"page":%d,"limit":100,"pages":3,"has_next":%t,"has_prev":false}}`, items, page, page < 3)
					}
				}
				ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
				require.NoError(t, err)
				assert.Equal(t, numbers(0, 250), ids)
				assert.LessOrEqual(t, len(b.asked), pagesOf(250, limit)+1)
			})
		})
	}
}

func TestAllEndsWhereTheServerDoesNot(t *testing.T) {
	says := func(said map[string]any) func(whozex.Pagination) map[string]any {
		return func(whozex.Pagination) map[string]any { return said }
	}
	total := 0
	more := func(whozex.Pagination) map[string]any {
		total += 1000
		return map[string]any{"has_next": true, "total": total}
	}
	last := func(b *book, _, limit int) []entry { return b.items[len(b.items)-limit:] }
	every := func(b *book, _, _ int) []entry { return b.items }
	for _, tt := range []struct {
		name     string
		page     func(b *book, page, limit int) []entry
		say      func(whozex.Pagination) map[string]any
		limit    int
		items    int
		requests int
		ahead    bool // of the end, as the server says so
	}{
		{name: "has_next for ever against pages", say: says(map[string]any{"has_next": true, "pages": 3}), items: 300, requests: 3},
		{name: "has_next for ever with empty pages", say: says(map[string]any{"has_next": true}), items: 300, requests: 4},
		{name: "no has_next against pages", say: says(map[string]any{"has_next": false, "pages": 3, "total": 300}), items: 100, requests: 1},
		{name: "one page for ever", page: last, say: says(map[string]any{"has_next": true}), items: 100, requests: 4},
		{name: "one page for ever, said to be many", page: last, say: says(map[string]any{"has_next": true, "pages": 1000, "total": 100_000}), items: 100, requests: 4, ahead: true},
		{name: "one page for ever, said to be more and more", page: last, say: more, items: 100, requests: 18},
		{name: "one page for ever, longer than asked for", page: every, say: says(map[string]any{"has_next": true}), limit: 7, items: 300, requests: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withAndWithout(t, func(t *testing.T, prefetch int) {
				b := &book{items: entries(0, 300), say: tt.say, page: tt.page}
				ids, err := b.all(t, whozex.ListUsersParams{Limit: tt.limit}, whozex.Prefetch(prefetch))
				require.NoError(t, err)
				assert.Len(t, ids, tt.items)
				assert.Subset(t, b.asked, []int{1, min(2, tt.requests), tt.requests})
				want := tt.requests
				if tt.ahead {
					want += prefetch
				}
				assert.LessOrEqual(t, len(b.asked), want)
			})
		})
	}
}

func TestAllKeepsItemsWithoutAnID(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &book{items: make([]entry, 450), key: "transactions"}
		b.items[7].ID, b.items[444].ID = "seven", "seven"
		got, err := whozex.Collect(b.client(t).AllTransactions(t.Context(), whozex.ListTransactionsParams{}, whozex.Prefetch(prefetch)))
		require.NoError(t, err)
		assert.Len(t, got, 449, "those without an id, and one of the two with the same")
		assert.Len(t, b.asked, 5)
	})
}

func TestAllYieldsAnErrorOnceAndLast(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &book{items: entries(0, 1050), refuse: func(page int) (int, string) {
			if page == 3 {
				return 403, refusal("API_DISABLED", "no")
			}
			return 0, ""
		}}
		var ids []string
		var failures []error
		for user, err := range b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)) {
			if err != nil {
				assert.Zero(t, user)
				failures = append(failures, err)
				continue
			}
			assert.Empty(t, failures)
			ids = append(ids, user.ID)
		}
		assert.Equal(t, numbers(0, 200), ids)
		require.Len(t, failures, 1)
		assert.ErrorIs(t, failures[0], whozex.ErrAPIDisabled)
		assert.LessOrEqual(t, slices.Max(b.requests()), 3+prefetch)
		if prefetch == 0 {
			assert.Equal(t, []int{1, 2, 3}, b.asked)
		}

		users, err := whozex.Collect(b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch)))
		require.ErrorIs(t, err, whozex.ErrAPIDisabled)
		assert.Equal(t, numbers(0, 200), idsOf(users))
	})
}

func TestAllGoesOnAfterARetry(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		failed := map[int]bool{}
		b := &book{items: entries(0, 650), refuse: func(page int) (int, string) {
			if failed[page] {
				return 0, ""
			}
			failed[page] = true
			return 503, ""
		}}
		ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 650), ids)
	})
}

func TestAllRefusesWithoutARequest(t *testing.T) {
	b := &book{}
	client := b.client(t)
	var noContext context.Context
	for name, seq := range map[string]iter.Seq2[whozex.User, error]{
		"limit":             client.AllUsers(t.Context(), whozex.ListUsersParams{Limit: 101}),
		"limit, ahead":      client.AllUsers(t.Context(), whozex.ListUsersParams{Limit: -1}, whozex.Prefetch(3)),
		"page":              client.AllUsers(t.Context(), whozex.ListUsersParams{Page: -1}),
		"prefetch":          client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(-1)),
		"prefetch, in vain": client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(-1), whozex.Prefetch(1)),
		"context":           client.AllUsers(noContext, whozex.ListUsersParams{}, whozex.Prefetch(1)),
	} {
		var failures []error
		for user, err := range seq {
			assert.Zero(t, user, name)
			failures = append(failures, err)
		}
		require.Len(t, failures, 1, name)
		var refused *whozex.ParamError
		assert.ErrorAs(t, failures[0], &refused, name)
	}
	_, err := whozex.Collect(client.AllTransactions(t.Context(), whozex.ListTransactionsParams{Type: "gift"}))
	require.Error(t, err)
	assert.Empty(t, b.asked)
}

func TestAllIsLazyAndStartsAnewEachTime(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &book{items: entries(0, 345)}
		params := whozex.ListUsersParams{Page: 2, Limit: 30}
		opts := []whozex.PageOption{whozex.Prefetch(prefetch)}
		seq := b.client(t).AllUsers(t.Context(), params, opts...)
		assert.Empty(t, b.asked)
		assert.Equal(t, whozex.ListUsersParams{Page: 2, Limit: 30}, params)
		params.Limit, opts[0] = 7, whozex.Prefetch(-1)
		for range 2 {
			users, err := whozex.Collect(seq)
			require.NoError(t, err)
			assert.Equal(t, numbers(30, 345), idsOf(users))
		}
		assert.Len(t, b.asked, 22)
		assert.Equal(t, 30, b.limit)
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				users, err := whozex.Collect(seq)
				assert.NoError(t, err)
				assert.Equal(t, numbers(30, 345), idsOf(users))
			})
		}
		both.Wait()
		assert.Len(t, b.asked, 44)
	})
}

func TestAllUsesOneContext(t *testing.T) {
	type key struct{}
	var values []any
	b := &book{items: entries(0, 650), see: func(req *http.Request) { values = append(values, req.Context().Value(key{})) }}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	_, err := whozex.Collect(b.client(t).AllUsers(ctx, whozex.ListUsersParams{}, whozex.Prefetch(3)))
	require.NoError(t, err)
	assert.Equal(t, slices.Repeat([]any{"mine"}, 7), values)
}

// countedContext counts the contexts that depend on it.
type countedContext struct {
	context.Context
	never chan struct{} // so that package context asks AfterFunc
	live  atomic.Int32
}

func (c *countedContext) Done() <-chan struct{} { return c.never }

func (c *countedContext) AfterFunc(func()) func() bool {
	c.live.Add(1)
	return func() bool { c.live.Add(-1); return true }
}

func TestPrefetchKeepsNoContextOfPagesRead(t *testing.T) {
	ctx := &countedContext{Context: context.Background(), never: make(chan struct{})}
	b := &book{items: entries(0, 3000)}
	for _, err := range b.client(t).AllUsers(ctx, whozex.ListUsersParams{}, whozex.Prefetch(3)) {
		require.NoError(t, err)
		require.LessOrEqual(t, ctx.live.Load(), int32(4))
	}
	assert.Zero(t, ctx.live.Load())
}

// The clock of these tests is virtual: what is asked for when is logic, not speed.

func TestABreakEndsTheRequests(t *testing.T) {
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
					b := &book{items: entries(0, 5000), latency: time.Second}
					seq := b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
					began := time.Now()
					leaves(seq, 201)
					// The first page alone, the next two at once or one by one, and no
					// wait for what was asked for ahead of the third.
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
					time.Sleep(time.Hour)
					assert.Len(t, b.requests(), len(want))
				})
			})
		}
	}
}

func TestACancelEndsTheWalk(t *testing.T) {
	for _, prefetch := range []int{0, 1, 3, 8} {
		t.Run(fmt.Sprintf("prefetch %d", prefetch), func(t *testing.T) {
			for _, tt := range []struct{ work, late time.Duration }{{}, {late: 500 * time.Millisecond}, {work: time.Minute}} {
				synctest.Test(t, func(t *testing.T) {
					b := &book{items: entries(0, 5000), latency: time.Second}
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
							time.Sleep(tt.work)
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

func TestPrefetchStopsAtAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{items: entries(0, 5000), latency: time.Second, refuse: func(page int) (int, string) {
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
				time.Sleep(time.Minute)
			}
		}
		assert.Equal(t, 1, failures)
		assert.Equal(t, numbers(0, 400), ids)
		assert.Len(t, b.requests(), 6, "none is asked for any more once a page has failed")
	})
}

func TestPrefetchCancelsWhatFollowsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &book{items: entries(0, 5000)}
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

func TestPrefetchKeepsSoManyPagesAhead(t *testing.T) {
	for _, tt := range []struct {
		pages, prefetch int
		work, want      time.Duration // of the reader a page, of the walk
	}{
		{40, 0, 0, 40 * 20 * time.Millisecond},
		{40, 8, 0, 6 * 20 * time.Millisecond},
		{100, 8, 0, 12 * 20 * time.Millisecond},
		{40, 1, 0, 21 * 20 * time.Millisecond},
		{40, 0, 20 * time.Millisecond, 80 * 20 * time.Millisecond},
		{40, 1, 20 * time.Millisecond, 41 * 20 * time.Millisecond},
		{40, 1000, 0, 2 * 20 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%d pages, prefetch %d, work %s", tt.pages, tt.prefetch, tt.work), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &book{items: entries(0, 100*tt.pages), latency: 20 * time.Millisecond}
				began, read := time.Now(), 0
				for _, err := range b.client(t).AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(tt.prefetch)) {
					require.NoError(t, err)
					if read++; read%100 == 0 {
						time.Sleep(tt.work)
					}
					assert.LessOrEqual(t, slices.Max(b.requests()), min((read+99)/100+tt.prefetch, tt.pages))
				}
				assert.Equal(t, tt.want, time.Since(began))
				assert.Len(t, b.asked, tt.pages)
			})
		})
	}
}

func TestPrefetchAsksForNoMoreThanIsSaidToBeThere(t *testing.T) {
	t.Run("has_next alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &book{items: entries(0, 550), latency: time.Second, say: func(p whozex.Pagination) map[string]any { return map[string]any{"has_next": p.HasNext} }}
			ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(8))
			require.NoError(t, err)
			assert.Equal(t, numbers(0, 550), ids)
			assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, b.asked)
		})
	})
	t.Run("later answers say more", func(t *testing.T) {
		b := &book{items: entries(0, 150), change: func(b *book, page int) {
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
		b := &book{items: entries(0, 150)}
		ids, err := b.all(t, whozex.ListUsersParams{Page: 9}, whozex.Prefetch(8))
		require.NoError(t, err)
		assert.Empty(t, ids)
		assert.Equal(t, []int{9}, b.asked)
	})
}

func TestPrefetchGoesThroughTheLimiter(t *testing.T) {
	waits := make(chan struct{}, 100)
	b := &book{items: entries(0, 1050)}
	client := b.client(t, whozex.WithLimiter(limiterFunc(func(context.Context) error { waits <- struct{}{}; return nil })))
	_, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.Prefetch(8)))
	require.NoError(t, err)
	assert.Len(t, waits, 11)
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestAllOfAListThatGrows(t *testing.T) {
	for _, tt := range []struct {
		name   string
		by     int
		times  int
		from   int // the first page before which it grows
		every  int // so many pages, 1 if 0
		silent bool
	}{
		{name: "by one item a request", by: 1, times: 1000, from: 2},
		{name: "by all but one of a page a request", by: 99, times: 60, from: 2},
		{name: "by a page", by: 100, times: 1, from: 4},
		{name: "by a page, unsaid", by: 100, times: 1, from: 4, silent: true},
		{name: "by a page, now and then, unsaid", by: 100, times: 5, from: 4, every: 2, silent: true},
		{name: "by a page, at once", by: 100, times: 1, from: 2},
		{name: "by a page a request", by: 100, times: 7, from: 4},
		{name: "by two pages", by: 200, times: 1, from: 4},
		{name: "by two pages, unsaid", by: 200, times: 1, from: 4, silent: true},
		{name: "by two pages before the last page", by: 200, times: 1, from: 10},
		{name: "by two pages, twice", by: 200, times: 2, from: 5},
		{name: "by two pages, seven times", by: 200, times: 7, from: 9},
		{name: "by two pages, seven times, at once", by: 200, times: 7, from: 2},
		{name: "by two pages and a half", by: 250, times: 1, from: 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &book{items: entries(0, 1000)}
			left := tt.times
			b.change = func(b *book, page int) {
				if page >= tt.from && (page-tt.from)%max(tt.every, 1) == 0 && left > 0 {
					left--
					b.grow(tt.by)
				}
			}
			if tt.silent {
				b.say = func(p whozex.Pagination) map[string]any { return map[string]any{"has_next": p.HasNext} }
			}
			ids, err := b.all(t, whozex.ListUsersParams{})
			require.NoError(t, err)
			old := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return strings.HasPrefix(id, "new") })
			slices.Sort(ids)
			assert.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "no item twice")
			assert.Equal(t, numbers(0, 1000), old, "all that was there, in order")
		})
	}
}

func TestAllOfAListThatGrowsWhilePagesAreReadAhead(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &book{items: entries(0, 1000)}
		b.change = func(b *book, page int) {
			if page%4 == 0 && page <= 12 {
				b.grow(130)
			}
		}
		ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
		require.NoError(t, err)
		slices.Sort(ids)
		assert.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "no item twice")
		assert.Contains(t, ids, "999")
	})
}

func TestAllForgetsWhatIsFarBehind(t *testing.T) {
	b := &book{items: entries(0, 400)}
	b.items[79].ID, b.items[399].ID = "0", "0"
	ids, err := b.all(t, whozex.ListUsersParams{Limit: 10})
	require.NoError(t, err)
	assert.Len(t, ids, 399, "an id is left out for eight pages, and not for ever")
}

func TestAllOfAListThatShrinks(t *testing.T) {
	t.Run("behind the reader", func(t *testing.T) {
		b := &book{items: entries(0, 1000), change: func(b *book, page int) {
			if page == 4 {
				b.items = b.items[150:]
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err)
		assert.Equal(t, slices.Concat(numbers(0, 300), numbers(450, 1000)), ids, "as many are skipped as were removed")
	})
	t.Run("before the reader", func(t *testing.T) {
		b := &book{items: entries(0, 1000), change: func(b *book, page int) {
			if page == 4 {
				b.items = b.items[:620]
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 620), ids)
		assert.Len(t, b.asked, 7)
	})
	t.Run("to less than was read", func(t *testing.T) {
		b := &book{items: entries(0, 1000), change: func(b *book, page int) {
			if page == 4 {
				b.items = nil
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 300), ids)
		assert.Equal(t, []int{1, 2, 3, 4}, b.asked)
	})
}

func TestCollectOfNothing(t *testing.T) {
	items, err := whozex.Collect(func(func(int, error) bool) {})
	require.NoError(t, err)
	assert.Empty(t, items)
}

func TestPageWalksHoldWhateverTheList(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	rapid.Check(t, func(r *rapid.T) {
		total := rapid.IntRange(0, 700).Draw(r, "total")
		limit := rapid.IntRange(0, 100).Draw(r, "limit")
		prefetch := rapid.IntRange(0, 5).Draw(r, "prefetch")
		size := limit
		if limit == 0 {
			size = 100
		}
		count := pagesOf(total, size)
		start := rapid.IntRange(0, count+2).Draw(r, "start")
		first := max(start, 1)
		b := &book{items: entries(0, total)}
		ids, err := b.all(t, whozex.ListUsersParams{Page: start, Limit: limit}, whozex.Prefetch(prefetch))
		require.NoError(r, err)
		assert.Equal(r, numbers((first-1)*size, total), ids)
		assert.Len(r, b.asked, max(count-first+1, 1))
	})
}

func TestPageWalksHoldWhileTheListGrows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit := rapid.IntRange(1, 30).Draw(r, "limit")
		total := rapid.IntRange(0, 20*limit).Draw(r, "total")
		growth := rapid.SliceOfN(rapid.IntRange(0, 2*limit), 0, 7).Draw(r, "growth")
		from := rapid.IntRange(2, 20).Draw(r, "from")
		b := &book{items: entries(0, total), change: func(b *book, page int) {
			if page >= from && len(growth) > 0 {
				b.grow(growth[0])
				growth = growth[1:]
			}
		}}
		ids, err := b.all(t, whozex.ListUsersParams{Limit: limit})
		require.NoError(r, err)
		old := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return strings.HasPrefix(id, "new") })
		assert.Equal(r, numbers(0, total), old)
		slices.Sort(ids)
		assert.Len(r, slices.Compact(slices.Clone(ids)), len(ids))
	})
}
