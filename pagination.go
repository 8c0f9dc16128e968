package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/whozex/whozex-go/internal/lenient"
)

// Page is one page of a list.
type Page[T any] struct {
	Items      []T        `json:"items" api:"inferred,list"`
	Pagination Pagination `json:"pagination"`

	paginated bool // Pagination was in the response
	origin
}

// Pagination says where in a list a page stands. It is zero when the response
// carries none: then the list goes on as long as its pages are full.
type Pagination struct {
	// Total counts the items of all pages.
	Total int `json:"total"`
	// Page counts from 1.
	Page    int  `json:"page"`
	Limit   int  `json:"limit"`
	Pages   int  `json:"pages"`
	HasNext bool `json:"has_next"`
	HasPrev bool `json:"has_prev"`
}

const (
	maxPageSize     = 100
	defaultPageSize = 20 // of the API, when a request names none
)

func (r *request) paged(page, limit int) {
	r.query = url.Values{}
	if page < 0 {
		r.check(invalid("page", "must not be negative, not %d", page))
	}
	if limit < 0 || limit > maxPageSize {
		r.check(invalid("limit", "must be 1 to %d, not %d", maxPageSize, limit))
	}
	if page > 0 {
		r.query.Set("page", strconv.Itoa(page))
	}
	if limit > 0 {
		r.query.Set("limit", strconv.Itoa(limit))
	}
}

// listData is the data of a list. Which key the items stand under is inferred:
// the two likely names are read in the strict pass, any other in the lenient one.
type listData[T any] struct {
	Users        []T `json:"users" api:"optional"`
	Transactions []T `json:"transactions" api:"optional"`
	Pagination   struct {
		Pagination
		// HasNext is set if the response has it, without which a walk would end early.
		HasNext any `json:"has_next"`
	} `json:"pagination" api:"optional"`

	origin
}

// strict reports whether the strict pass has read a list whole.
func (l *listData[T]) strict() bool {
	_, known := l.Pagination.HasNext.(bool)
	return known && (l.Users != nil || l.Transactions != nil)
}

func (l *listData[T]) newItem() any { return new(T) }

func (l *listData[T]) readList(env *envelope, from lenient.Source) (lenient.Report, error) {
	report := lenient.Report{Filled: 1}
	items, name, err := findItems(env.data)
	if err != nil {
		return report, err
	}
	l.Users = make([]T, len(items))
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", name, i)
		found, err := lenient.Decode(item, &l.Users[i], from)
		if err != nil {
			return report, unreadable([]string{at})
		}
		report.Add(at, found)
	}
	found, err := l.readPagination(env)
	if err == nil {
		report.Add("pagination", found)
	}
	return report, nil
}

// readPagination looks for the pagination within the data and beside it.
func (l *listData[T]) readPagination(env *envelope) (lenient.Report, error) {
	raw := env.pagination
	lenient.Each(env.data, func(name string, value json.RawMessage) {
		if name == "pagination" {
			raw = bytes.Clone(value)
		}
	})
	p := &l.Pagination.Pagination
	found, err := lenient.Decode(raw, p, lenient.Source{})
	if err != nil {
		return found, err
	}
	if slices.Contains(slices.Concat(found.Missing, found.Unread), "has_next") {
		p.HasNext = p.Page < p.Pages || p.Limit > 0 && p.Page*p.Limit < p.Total
	}
	l.Pagination.HasNext = p.HasNext
	return found, nil
}

// findItems returns the items of a list: the data itself, or what stands under
// users, transactions or, failing these, the name of the one array.
func findItems(data json.RawMessage) (items []json.RawMessage, name string, err error) {
	if items, ok := lenient.Array(data); ok {
		return items, "", nil
	}
	lists, named, others := map[string]json.RawMessage{}, "", 0
	ok := lenient.Each(data, func(name string, value json.RawMessage) {
		switch {
		case name == "pagination":
		case name == "users", name == "transactions":
			named = name
			lists[name] = bytes.Clone(value)
		case bytes.HasPrefix(value, []byte("[")):
			lists[name] = bytes.Clone(value)
		default:
			others++
		}
	})
	switch {
	case !ok:
		return nil, "", errNoData
	case named != "":
		items, err := itemsOf(named, lists[named])
		return items, named, err
	case len(lists) > 1:
		return nil, "", errors.New("it holds more than one list")
	case len(lists) == 0 && others == 0 && !lenient.IsEmpty(data):
		return nil, "", nil // nothing but the pagination
	}
	for name, list := range lists {
		items, err := itemsOf(name, list)
		return items, name, err
	}
	return nil, "", errors.New("it holds no list")
}

// itemsOf reads an array, or what stands for an empty one.
func itemsOf(name string, list json.RawMessage) ([]json.RawMessage, error) {
	items, ok := lenient.Array(list)
	if !ok && !lenient.IsEmpty(list) && string(list) != "null" {
		return nil, unreadable([]string{name})
	}
	return items, nil
}

func list[T any](ctx context.Context, c *Client, req request, opts []CallOption) (*Page[T], error) {
	data, err := call[listData[T]](ctx, c, req, opts)
	if err != nil {
		return nil, err
	}
	page := &Page[T]{Items: data.Users, Pagination: data.Pagination.Pagination, origin: data.origin}
	if page.Items == nil {
		page.Items = data.Transactions
	}
	page.Pagination.HasNext, page.paginated = data.Pagination.HasNext.(bool)
	for i := range page.Items {
		any(&page.Items[i]).(result).setOrigin(data.source, i)
	}
	return page, nil
}
