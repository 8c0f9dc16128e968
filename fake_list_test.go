package whozex_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/whozex/whozex-go"
)

// fakeList is an API with one list, without a network.
type fakeList struct {
	key     string                                             // of the items, "users" if empty
	latency time.Duration                                      // of each page
	change  func(b *fakeList, page int)                        // the list, before a response
	say     func(p whozex.Pagination) map[string]any           // replaces the true pagination
	refuse  func(page int) (status int, body string)           // 0 to respond as usual
	see     func(req *http.Request)                            // each request, while the list is locked
	page    func(b *fakeList, page, limit int) (items []entry) // replaces the true page

	running atomic.Int32 // requests

	mu    sync.Mutex
	items []entry
	asked []int // pages, in the order of the requests
	limit int   // of the last request
	query url.Values
}

type entry struct {
	ID      string `json:"id,omitempty"`
	Note    string `json:"note,omitempty"`
	Balance int    `json:"balance"` // required in a user
}

func entries(from, to int) []entry {
	items := make([]entry, 0, max(to-from, 0))
	for i := from; i < to; i++ {
		items = append(items, entry{ID: strconv.Itoa(i)})
	}
	return items
}

func (b *fakeList) RoundTrip(req *http.Request) (*http.Response, error) {
	b.running.Add(1)
	defer b.running.Add(-1)
	query := req.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	status, body := b.respond(req, query, page, limit)
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

func (b *fakeList) respond(req *http.Request, query url.Values, page, limit int) (int, string) {
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

func (b *fakeList) requests() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// grow inserts n new items in front of all others.
func (b *fakeList) grow(n int) {
	fresh := make([]entry, n)
	for i := range fresh {
		fresh[i].ID = fmt.Sprintf("new-%d-%d", len(b.items), i)
	}
	b.items = append(fresh, b.items...)
}

func pagesOf(total, limit int) int { return max((total+limit-1)/limit, 1) }

func (b *fakeList) client(t testing.TB, opts ...whozex.Option) *whozex.Client {
	t.Helper()
	opts = append([]whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: b}), whozex.WithBackoff(0, 0)}, opts...)
	client, err := whozex.New(testKey, opts...)
	require.NoError(t, err)
	return client
}

// all iterates to the end and returns the ids.
func (b *fakeList) all(t testing.TB, params whozex.ListUsersParams, opts ...whozex.PageOption) ([]string, error) {
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

// withAndWithout runs test without and with Prefetch.
func withAndWithout(t *testing.T, test func(t *testing.T, prefetch int)) {
	t.Helper()
	for _, prefetch := range []int{0, 1, 3, 8} {
		t.Run(fmt.Sprintf("prefetch %d", prefetch), func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			test(t, prefetch)
		})
	}
}
