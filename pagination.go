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
	"strings"

	"github.com/whozex/whozex-go/internal/lenient"
)

// Page is one page of a list.
type Page[T any] struct {
	Items      []T        `json:"items" api:"inferred,list"`
	Pagination Pagination `json:"pagination"`

	saysNext bool // the response says whether there is a next page
	origin
}

// Pagination is the position of a page in its list. Fields that the response lacks are
// zero, and [Page.Unread] names them.
type Pagination struct {
	// Total counts the items of all pages.
	Total int `json:"total"`
	// Page counts from 1.
	Page  int `json:"page"`
	Limit int `json:"limit"`
	Pages int `json:"pages"`
	// HasNext is computed from the other fields if the response lacks it. If that is not
	// possible either, it is false, and [Client.AllUsers] ignores it.
	HasNext bool `json:"has_next"`
	HasPrev bool `json:"has_prev"`
}

const (
	maxPageSize     = 100
	defaultPageSize = 20 // the API's default
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

// listData is the data of a list. The key of the items is not documented:
// the two likely names are read in the strict pass, any other in the lenient one.
type listData[T any] struct {
	Users        []T `json:"users" api:"optional"`
	Transactions []T `json:"transactions" api:"optional"`
	Pagination   struct {
		Pagination
		// HasNext is nil if the response lacks it: a false one would end an iteration early.
		HasNext any `json:"has_next"`
	} `json:"pagination" api:"optional"`

	origin
}

// own is the most likely name of the items, and the slice that it is decoded into.
func (l *listData[T]) own() (string, *[]T) {
	if _, ok := any(l).(*listData[Transaction]); ok {
		return "transactions", &l.Transactions
	}
	return "users", &l.Users
}

// strict reports whether the strict pass has read a list whole.
func (l *listData[T]) strict() bool {
	_, known := l.Pagination.HasNext.(bool)
	_, items := l.own()
	return known && *items != nil
}

func (l *listData[T]) items(data json.RawMessage) ([]json.RawMessage, string, error) {
	name, _ := l.own()
	return findItems(data, name)
}

func (l *listData[T]) newItem() any { return new(T) }

func (l *listData[T]) readList(env *envelope, from lenient.Source) (lenient.Report, error) {
	report := lenient.Report{Filled: 1}
	raw, name, err := l.items(env.data)
	if err != nil {
		return report, err
	}
	_, items := l.own()
	*items = make([]T, len(raw))
	for i, item := range raw {
		at := fmt.Sprintf("%s[%d]", name, i)
		found, err := lenient.Decode(item, &(*items)[i], from)
		if err != nil {
			return report, unreadable([]string{at})
		}
		report.Add(at, found)
	}
	l.readPagination(env, &report)
	return report, nil
}

// readPagination looks for the pagination within the data and beside it.
func (l *listData[T]) readPagination(env *envelope, report *lenient.Report) {
	raw := env.pagination
	lenient.Each(env.data, func(name string, value json.RawMessage) {
		if strings.EqualFold(name, "pagination") && hasValue(value) {
			raw = value
		}
	})
	p := &l.Pagination.Pagination
	found, err := lenient.Decode(raw, p, lenient.Source{})
	if err != nil {
		report.Missing = append(report.Missing, "pagination")
		return
	}
	report.Add("pagination", found)
	switch {
	case !slices.Contains(slices.Concat(found.Missing, found.Unread), "has_next"):
	case p.Page > 0 && p.Pages > 0:
		p.HasNext = p.Page < p.Pages
	case p.Page > 0 && p.Limit > 0 && p.Total > 0:
		p.HasNext = p.Page*p.Limit < p.Total
	default:
		return
	}
	l.Pagination.HasNext = p.HasNext
}

// findItems returns the items of a list: the data itself, the member own, or else the only
// array.
func findItems(data json.RawMessage, own string) (items []json.RawMessage, name string, err error) {
	if items, ok := lenient.Array(data); ok {
		return items, "", nil
	}
	var list json.RawMessage
	arrays := 0
	ok := lenient.Each(data, func(member string, value json.RawMessage) {
		switch {
		case strings.EqualFold(member, own): // the last counts, as for encoding/json
			list, name = value, own
		case name != own && bytes.HasPrefix(value, []byte("[")) && !strings.EqualFold(member, "pagination"):
			list, name = value, member
			arrays++
		}
	})
	switch {
	case !ok:
		return nil, "", errNoData
	case name == "":
		return nil, "", errors.New("it holds no list")
	case name != own && arrays > 1:
		return nil, "", errors.New("it holds more than one list")
	}
	items, ok = lenient.Array(list)
	if !ok && !lenient.IsEmpty(list) && string(list) != "null" {
		return nil, name, unreadable([]string{name})
	}
	return items, name, nil
}

func list[T any](ctx context.Context, c *Client, req request, opts []CallOption) (*Page[T], error) {
	data, err := call[listData[T]](ctx, c, req, opts)
	if err != nil {
		return nil, err
	}
	_, items := data.own()
	page := &Page[T]{Items: *items, Pagination: data.Pagination.Pagination, origin: data.origin}
	*items = nil // an item that is kept must not keep the other items in memory
	page.Pagination.HasNext, page.saysNext = data.Pagination.HasNext.(bool)
	for i := range page.Items {
		any(&page.Items[i]).(result).setOrigin(data.source, i)
	}
	return page, nil
}
