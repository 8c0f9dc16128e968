package main

import (
	"net/http"
	"net/url"
	"strconv"
)

// pageParams read what a page shows from its URL. What makes no sense there is
// left out, and said.
type pageParams struct {
	values  url.Values
	Ignored []ignored
}

// ignored is a parameter that means nothing, and what holds in its place.
type ignored struct{ Name, Value, Instead string }

// listOption is a value of a parameter, and its name on the page.
type listOption struct{ Value, Label string }

func paramsOf(r *http.Request) *pageParams { return &pageParams{values: r.URL.Query()} }

// text is free text.
func (a *pageParams) text(name string) string { return cut(a.values.Get(name), 200) }

// choice is one of all, the first if the address is silent.
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

// page is the number of a page, from 1.
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

// rows is a number of rows a page.
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

// pager leads to the other pages of a list. They keep what the address says.
type pager struct {
	Page, Pages, Total, Rows int
	Missing                  int // the page asked for, if there is none of that number
	Path, Anchor             string
	Keep                     url.Values // of the address
}

// keep remembers parameters that are set.
func (p *pager) keep(a *pageParams, names ...string) {
	p.Keep = url.Values{}
	for _, name := range names {
		if value := a.values.Get(name); value != "" {
			p.Keep.Set(name, value)
		}
	}
}

// of is the pager of a list of so many, and what its page shows.
func (p pager) of(total int) (q pager, from, to int) {
	p.Total, p.Pages = total, max(1, (total+p.Rows-1)/p.Rows)
	if p.Page > p.Pages { // an old link: the last page is nearest to it
		p.Missing, p.Page = p.Page, p.Pages
	}
	from = (p.Page - 1) * p.Rows
	return p, from, min(from+p.Rows, total)
}

// At is the address of another page.
func (p pager) At(page int) string {
	query := url.Values{"page": {strconv.Itoa(page)}}
	for name, value := range p.Keep {
		query[name] = value
	}
	return p.Path + "?" + query.Encode() + p.Anchor
}

// Action is where the form leads that asks for a page.
func (p pager) Action() string { return p.Path + p.Anchor }

func (p pager) Previous() int { return p.Page - 1 }
func (p pager) Next() int     { return p.Page + 1 }
