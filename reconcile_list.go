package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/whozex/whozex-go/internal/lenient"
)

const (
	// readPages limits how many pages of a list are read for one unknown outcome.
	readPages = 100
	// readPasses limits how often the list is read until two readings agree.
	readPasses = 4
)

// listing is a list as it was read.
type listing struct {
	items []json.RawMessage
	// gap is why an item may be missing; empty if the list was read completely.
	gap string

	// Of the first response.
	received time.Time     // by the local clock
	took     time.Duration // from request to response
	date     time.Time     // the Date; zero when there is none that can be trusted
	now      time.Time     // the time in the envelope, otherwise the Date

	latest time.Time // now, but of the last response
	total  int       // in the last response; -1 if it has none
	ids    map[string]bool
}

// readWhole reads all pages of a list, and again while it grows. Its order proves
// nothing about what was not read, so reading never ends early.
func (c *Client) readWhole(ctx context.Context, op Operation, route string) (*listing, error) {
	l := &listing{ids: map[string]bool{}}
	for pass := 1; ; pass++ {
		ids, err := c.readPass(ctx, op, route, l)
		if err != nil || l.gap != "" {
			return l, err
		}
		lost := !l.within(ids)
		maps.Copy(l.ids, ids)
		switch {
		case lost:
			l.gap = "the list lost an item while it was read: ask again"
		case l.total < 0:
			l.gap = "the server does not say how long the list is, so it cannot be known to be read whole: look at the list itself"
		case len(l.ids) > l.total:
			l.gap = "the server lists more than it counts: look at the list itself"
		case len(l.ids) == l.total:
		case pass == readPasses:
			l.gap = "the server counts more than it lists: look for it among all"
		default:
			continue
		}
		return l, nil
	}
}

// within reports whether every item read is among ids.
func (l *listing) within(ids map[string]bool) bool {
	for id := range l.ids {
		if !ids[id] {
			return false
		}
	}
	return true
}

// readPass reads a list once and returns the ids in it. It reads one page beyond the last
// one that the server reports, since a server may report one page as the whole list.
func (c *Client) readPass(ctx context.Context, op Operation, route string, l *listing) (ids map[string]bool, err error) {
	l.items, l.total = nil, -1
	ids = map[string]bool{}
	texts := map[string]bool{}
	ending := false // only the page beyond the last is missing
	for page := 1; page <= readPages; page++ {
		items, paging, err := c.readPage(ctx, op, route, page, l)
		if refusal, ok := errors.AsType[*Error](err); ok && ending && refusal.StatusCode/100 == 4 && refusal.StatusCode != http.StatusTooManyRequests {
			return ids, nil // there is no such page
		}
		if err != nil || l.gap != "" {
			return nil, err
		}
		fresh := 0
		for _, item := range items {
			if text := string(item); !texts[text] {
				texts[text] = true
				l.items = append(l.items, item)
			}
			if id := itemID(item); !ids[id] {
				ids[id] = true
				fresh++
			}
		}
		switch more := paging.hasMore(page); {
		case more && fresh == 0:
			l.gap = "the server says that the list goes on, and does not give the rest: look at the list itself"
			return nil, nil
		case fresh == 0 && page > 1:
			return ids, nil
		default:
			ending = !more
		}
	}
	l.gap = "the list has more than " + strconv.Itoa(readPages) + " pages: look for it there"
	return nil, nil
}

func (c *Client) readPage(ctx context.Context, op Operation, route string, page int, l *listing) ([]json.RawMessage, paging, error) {
	req := read(op, route)
	req.query = url.Values{"page": {strconv.Itoa(page)}, "limit": {strconv.Itoa(maxPageSize)}}
	var resp Response
	asked := time.Now()
	var data json.RawMessage
	if err := c.do(ctx, req, &data, []CallOption{Fresh(), CaptureResponse(&resp)}); err != nil {
		return nil, paging{}, err
	}
	l.recordTimes(&resp, asked)
	if stale(resp.Header) {
		l.gap = "a cache responded instead of the server: look at the list itself"
		return nil, paging{}, nil
	}
	items, paging, gap := parsePage(data)
	switch {
	case gap != "":
		l.gap = gap
	case paging.total != nil && l.total > *paging.total:
		l.gap = "the list became shorter while it was read: ask again"
	case paging.total != nil:
		l.total = *paging.total
	}
	return items, paging, nil
}

func (l *listing) recordTimes(resp *Response, asked time.Time) {
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	l.latest = resp.Meta.Timestamp
	if l.latest.IsZero() {
		l.latest = date
	}
	if l.received.IsZero() {
		l.received = time.Now()
		l.took, l.date, l.now = l.received.Sub(asked), date, l.latest
	}
}

// itemID returns the item's id or, without one, its text.
func itemID(item json.RawMessage) string {
	var of struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(item, &of)
	if id := textOf(of.ID); id != "" {
		return id
	}
	return string(item)
}

// paging is a page's pagination; nil for missing fields.
type paging struct {
	total, pages *int
	hasNext      *bool
}

func (p paging) hasMore(page int) bool {
	return p.pages != nil && *p.pages > page || p.hasNext != nil && *p.hasNext
}

// parsePage parses a page of a list. gap is the reason if it cannot.
func parsePage(data json.RawMessage) (items []json.RawMessage, p paging, gap string) {
	lists, empty := 0, false
	whole := readObject(data, func(name string, value json.RawMessage, _ []byte) {
		switch {
		case name == "pagination":
			if !p.read(value) {
				gap = "the pagination cannot be understood: look at the list itself"
			}
		case bytes.HasPrefix(value, []byte("[")):
			lists++
			var ok bool
			if items, ok = lenient.Array(value); !ok {
				gap = "the page's list cannot be read: look for it there"
			}
		case string(value) == "null":
			empty = true // an empty list, if there is no other; the total must agree
		case bytes.HasPrefix(value, []byte("{")):
			gap = "the page holds more than a list: look for it there"
		}
	})
	switch {
	case gap != "":
	case lists > 1:
		gap = "the page holds more than one list: look for it there"
	case !whole || lists == 0 && !empty && (p.total == nil || *p.total != 0):
		gap = "the page holds no list"
	}
	return items, p, gap
}

func (p *paging) read(text json.RawMessage) bool {
	clear := true
	number := func(value json.RawMessage) *int {
		n, err := strconv.Atoi(strings.Trim(string(value), `"`))
		clear = clear && err == nil && n >= 0
		return &n
	}
	whole := readObject(text, func(name string, value json.RawMessage, _ []byte) {
		if string(value) == "null" {
			return
		}
		switch name {
		case "total":
			p.total = number(value)
		case "pages":
			p.pages = number(value)
		case "has_next":
			p.hasNext = new(bool)
			clear = clear && json.Unmarshal(value, p.hasNext) == nil
		}
	})
	return whole && clear
}
