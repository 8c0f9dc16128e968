package main

import (
	"net/http"
	"net/url"
	"strconv"
)

// pageParams reads the options of a page from its URL. Invalid values are ignored, and
// shown as ignored.
type pageParams struct {
	values  url.Values
	Ignored []ignored
}

// ignored is an invalid parameter, and the value used instead.
type ignored struct{ Name, Value, Instead string }

// listOption is a valid value of a parameter, and its label.
type listOption struct{ Value, Label string }

func paramsOf(r *http.Request) *pageParams { return &pageParams{values: r.URL.Query()} }

// text returns a parameter that may be any text.
func (a *pageParams) text(name string) string { return cut(a.values.Get(name), 200) }

// choice returns a parameter that must be one of all; the first is the default.
func (a *pageParams) choice(name string, all []listOption) listOption {
	value := a.values.Get(name)
	for _, c := range all {
		if c.Value == value {
			return c
		}
	}
	if value != "" {
		a.Ignored = append(a.Ignored, ignored{name, visible(cut(value, 60)), all[0].Label})
	}
	return all[0]
}

// page returns the page number, from 1.
func (a *pageParams) page() int {
	value := a.values.Get("page")
	page, err := strconv.Atoi(value)
	if err == nil && 1 <= page && page <= 1_000_000 {
		return page
	}
	if value != "" {
		a.Ignored = append(a.Ignored, ignored{"page", visible(cut(value, 60)), "page 1"})
	}
	return 1
}

// rows returns the number of rows per page.
func (a *pageParams) rows(all []listOption) int {
	n, _ := strconv.Atoi(a.choice("rows", all).Value)
	return n
}

func rowOptions(first int, more ...int) (all []listOption) {
	for _, n := range append([]int{first}, more...) {
		all = append(all, listOption{strconv.Itoa(n), strconv.Itoa(n) + " rows"})
	}
	return all
}

// pager makes the links to the other pages of a list. They keep the URL's parameters.
type pager struct {
	Page, Pages, Total, Rows int
	Missing                  int // the requested page, if it does not exist
	Path, Anchor             string
	Keep                     url.Values // parameters of the URL
}

// keep stores the named parameters, if set, for the links.
func (p *pager) keep(a *pageParams, names ...string) {
	p.Keep = url.Values{}
	for _, name := range names {
		if value := a.values.Get(name); value != "" {
			p.Keep.Set(name, value)
		}
	}
}

// of returns the pager of a list of total items, and the range of its page.
func (p pager) of(total int) (q pager, from, to int) {
	p.Total, p.Pages = total, max(1, (total+p.Rows-1)/p.Rows)
	if p.Page > p.Pages { // an old link: show the last page
		p.Missing, p.Page = p.Page, p.Pages
	}
	from = (p.Page - 1) * p.Rows
	return p, from, min(from+p.Rows, total)
}

// At returns the URL of another page.
func (p pager) At(page int) string {
	query := url.Values{"page": {strconv.Itoa(page)}}
	for name, value := range p.Keep {
		query[name] = value
	}
	return p.Path + "?" + query.Encode() + p.Anchor
}

// Action is the URL of the form that asks for a page number.
func (p pager) Action() string { return p.Path + p.Anchor }

func (p pager) Previous() int { return p.Page - 1 }
func (p pager) Next() int     { return p.Page + 1 }
