package whozex_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

func TestIterator_YieldsEachItemOnceInOrder(t *testing.T) {
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

			b := &fakeList{items: entries(0, total)}
			ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
			require.NoError(t, err)
			assert.Equal(t, numbers(0, total), ids)
			assert.Equal(t, 100, b.limit)
			assert.Len(t, b.asked, pagesOf(total, 100))
		})
	}
}

func TestAllTransactions_OneType(t *testing.T) {
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

func TestIterator_FiltersEachPage(t *testing.T) {
	b := &fakeList{items: entries(0, 25)}
	queries := map[string]int{}
	b.see = func(req *http.Request) { queries[req.URL.Path+" "+b.query.Get("search")+b.query.Get("type")]++ }
	client := b.client(t)
	_, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{Limit: 10, Search: "a&b"}, whozex.Prefetch(2)))
	require.NoError(t, err)
	_, err = whozex.Collect(client.AllTransactions(t.Context(), whozex.ListTransactionsParams{Limit: 10, Type: whozex.TransactionDeposit}))
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"/v1/users a&b": 3, "/v1/account/transactions deposit": 3}, queries)
}

func TestIterator_ItemsUnderAnyName(t *testing.T) {
	for _, key := range []string{"users", "transactions", "sub_users", "items", "data"} {
		b := &fakeList{items: entries(0, 250), key: key}
		ids, err := b.all(t, whozex.ListUsersParams{})
		require.NoError(t, err, key)
		assert.Equal(t, numbers(0, 250), ids, key)
	}
}

func TestIterator_NoPagination(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &fakeList{items: entries(0, 250), say: func(whozex.Pagination) map[string]any { return nil }}
		ids, err := b.all(t, whozex.ListUsersParams{}, whozex.Prefetch(prefetch))
		require.NoError(t, err)
		assert.Equal(t, numbers(0, 250), ids)
		assert.Equal(t, []int{1, 2, 3, 4}, b.asked, "50 items may be a full page of a server that takes no limit")
	})
}

func TestIterator_OddPagination(t *testing.T) {
	for _, tt := range []struct {
		name   string
		say    func(whozex.Pagination) map[string]any
		size   int  // of the server's pages, whatever limit is requested
		beside bool // pagination is beside data, not in it
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
				b := &fakeList{items: entries(0, 250), say: tt.say}
				limit := 100
				if tt.size > 0 {
					limit = tt.size
					b.page = func(b *fakeList, page, _ int) []entry {
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

func TestIterator_EndlessServer(t *testing.T) {
	says := func(said map[string]any) func(whozex.Pagination) map[string]any {
		return func(whozex.Pagination) map[string]any { return said }
	}
	total := 0
	more := func(whozex.Pagination) map[string]any {
		total += 1000
		return map[string]any{"has_next": true, "total": total}
	}
	last := func(b *fakeList, _, limit int) []entry { return b.items[len(b.items)-limit:] }
	every := func(b *fakeList, _, _ int) []entry { return b.items }
	for _, tt := range []struct {
		name     string
		page     func(b *fakeList, page, limit int) []entry
		say      func(whozex.Pagination) map[string]any
		limit    int
		items    int
		requests int
		ahead    bool // the server reports the end too early
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
				b := &fakeList{items: entries(0, 300), say: tt.say, page: tt.page}
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

func TestIterator_ItemsWithoutID(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &fakeList{items: make([]entry, 450), key: "transactions"}
		b.items[7].ID, b.items[444].ID = "seven", "seven"
		got, err := whozex.Collect(b.client(t).AllTransactions(t.Context(), whozex.ListTransactionsParams{}, whozex.Prefetch(prefetch)))
		require.NoError(t, err)
		assert.Len(t, got, 449, "those without an id, and one of the two with the same")
		assert.Len(t, b.asked, 5)
	})
}

func TestIterator_ErrorOnceAndLast(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &fakeList{items: entries(0, 1050), refuse: func(page int) (int, string) {
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

func TestIterator_Retry(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		failed := map[int]bool{}
		b := &fakeList{items: entries(0, 650), refuse: func(page int) (int, string) {
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

func TestIterator_InvalidParams(t *testing.T) {
	b := &fakeList{}
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

func TestIterator_LazyAndRepeatable(t *testing.T) {
	withAndWithout(t, func(t *testing.T, prefetch int) {
		b := &fakeList{items: entries(0, 345)}
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

func TestIterator_OneContext(t *testing.T) {
	type key struct{}
	var values []any
	b := &fakeList{items: entries(0, 650), see: func(req *http.Request) { values = append(values, req.Context().Value(key{})) }}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	_, err := whozex.Collect(b.client(t).AllUsers(ctx, whozex.ListUsersParams{}, whozex.Prefetch(3)))
	require.NoError(t, err)
	assert.Equal(t, slices.Repeat([]any{"mine"}, 7), values)
}

func TestCollect_Empty(t *testing.T) {
	items, err := whozex.Collect(func(func(int, error) bool) {})
	require.NoError(t, err)
	assert.Empty(t, items)
}
