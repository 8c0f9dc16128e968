package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
)

// Page is one page of a list.
type Page[T any] struct {
	Items      []T `api:"inferred,list"`
	Pagination Pagination
}

// Pagination says where in a list a page stands. It is zero when the answer
// carries none: then the page is the whole list.
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

const maxPageSize = 100

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
// the two likely names are read in the same pass as the rest, any other in a
// second one.
type listData[T any] struct {
	Users        []T        `json:"users"`
	Transactions []T        `json:"transactions"`
	Pagination   Pagination `json:"pagination"`
}

// complete looks for the one array beside the pagination, whatever its name.
func (l *listData[T]) complete(body []byte) error {
	if l.Users != nil || l.Transactions != nil {
		return nil
	}
	var env envelope[map[string]json.RawMessage]
	if err := unmarshal(body, &env); err != nil {
		return err
	}
	var items json.RawMessage
	for key, value := range *env.Data {
		if key == "pagination" || !bytes.HasPrefix(value, []byte("[")) {
			continue
		}
		if items != nil {
			return errors.New("it holds more than one list")
		}
		items = value
	}
	switch {
	case items != nil:
		return unmarshal(items, &l.Users)
	case l.Pagination != Pagination{} && l.Pagination.Total == 0:
		return nil
	}
	return errors.New("it holds no list")
}

func list[T any](ctx context.Context, c *Client, req request, opts []CallOption) (*Page[T], error) {
	data, err := call[listData[T]](ctx, c, req, opts)
	if err != nil {
		return nil, err
	}
	items := data.Users
	if items == nil {
		items = data.Transactions
	}
	return &Page[T]{Items: items, Pagination: data.Pagination}, nil
}
