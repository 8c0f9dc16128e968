package whozextest

type pagination struct {
	Total   int  `json:"total"`
	Page    int  `json:"page"`
	Limit   int  `json:"limit"`
	Pages   int  `json:"pages"`
	HasNext bool `json:"has_next"`
	HasPrev bool `json:"has_prev"`
}

// paginate returns one page, newest first, of items that are stored oldest first. It reads
// only the items of the page.
func paginate[T, V any](items []T, page, limit int, show func(T) V) ([]V, pagination) {
	p := pagination{Total: len(items), Page: page, Limit: limit}
	p.Pages = (p.Total + limit - 1) / limit
	p.HasNext = page < p.Pages
	p.HasPrev = page > 1 && p.Pages > 0
	views := []V{}
	if page > p.Pages {
		return views, p
	}
	last := p.Total - 1 - (page-1)*limit
	for i := last; i >= 0 && i > last-limit; i-- {
		views = append(views, show(items[i]))
	}
	return views, p
}
