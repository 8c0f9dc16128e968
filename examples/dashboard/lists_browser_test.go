package main

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// sizes are the window sizes of all browser tests.
var sizes = []struct {
	name          string
	width, height int64
	phone         bool
}{{name: "phone", width: 390, height: 844, phone: true}, {name: "desktop", width: 1440, height: 900}}

// tops is a script that lists the vertical positions of a page's parts.
const tops = `[...document.querySelectorAll("#summary, #low, #users, #charts, #packages")].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top).map((e) => e.id)`

// tileRows is a script that counts the tiles in each row.
const tileRows = `Object.values(Object.groupBy(document.querySelectorAll(".tiles > *"), (e) => Math.round(e.getBoundingClientRect().top))).map((row) => row.length)`

// small is a script that lists controls that are too small to tap.
const small = `[...document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")].filter((e) => { const b = e.getBoundingClientRect(); return b.height && (b.height < 24 || b.width < 24) && !e.closest(".skip") }).map((e) => e.outerHTML.slice(0, 100))`

func TestBrowser_Lists(t *testing.T) {
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			d, home := launch(t)
			u, err := url.Parse(home)
			require.NoError(t, err)
			watch, open := browser(t, size.width, size.height, size.phone, u.Host)
			b := open()
			lists(t, d, home, size.phone, b)
			b.screenshot(size.name + "-packages")
			watch.mu.Lock()
			defer watch.mu.Unlock()
			assert.Empty(t, watch.problems)
		})
	}
}

func lists(t *testing.T, d *dashboard, home string, phone bool, b tab) {
	// Past events reported low packages; some of these are used up now.
	list := d.catalog.list(nil)
	require.NotZero(t, d.catalog.levels().Low)
	low := d.catalog.attention(1)[0]
	left, err := d.client.GetPackage(t.Context(), low.ID, whozex.Fresh())
	require.NoError(t, err)
	require.NoError(t, d.sandbox.SetUserBalance(low.UserID, decimal.NewFromInt(100)))

	b.do(chromedp.Navigate(home))
	order := get(b, chromedp.Evaluate[[]string](tops))
	if phone {
		assert.Equal(t, []string{"summary", "low", "users", "charts", "packages"}, order)
		assert.Equal(t, []int{2, 2, 2}, get(b, chromedp.Evaluate[[]int](tileRows)), "tiles two in a row")
	} else {
		assert.Equal(t, []string{"summary", "low", "charts", "users", "packages"}, order)
		assert.Equal(t, []int{6}, get(b, chromedp.Evaluate[[]int](tileRows)))
	}
	assert.Empty(t, get(b, chromedp.Evaluate[[]string](small)))
	b.check("overview with low packages")

	// One click from the list to the confirmation, one more to add the GB.
	row := fmt.Sprintf("#low form[action='/packages/%s/add-gb']", low.ID)
	require.Contains(t, b.text("#low"), low.ID)
	b.do(chromedp.SetValue(css(row+" input"), "7"))
	b.navigate(row + " button")
	assert.Equal(t, "Add GB to this package?", b.text("h1"))
	assert.Equal(t, "Add GB for $6.30", b.text("#confirm"))
	b.check("GB to add")
	b.do(click("#confirm"), see("[data-state=done]"))
	b.check("GB added")
	after, err := d.client.GetPackage(t.Context(), low.ID, whozex.Fresh())
	require.NoError(t, err)
	assert.Equal(t, "7", after.TotalGB.Sub(left.TotalGB).String())
	assert.NotEqual(t, low.Level.State, d.state(low.ID), "it is no longer low")

	// The tile links to the list of all of them; the URL can be bookmarked.
	b.do(chromedp.Navigate(home))
	b.navigate("#summary .tiles a")
	assert.Equal(t, home+"/packages?state=attention", get(b, chromedp.Location()))
	b.check("packages that ask for attention")

	// Packages by user, with the search box and the selects.
	owner := d.userCache.get(list[0].UserID)
	b.do(chromedp.SetValue(css("#q"), owner.Name), chromedp.SetValue(css("[name=sort]"), "newest"), chromedp.SetValue(css("[name=state]"), ""))
	b.navigate("form:has(#q) button")
	mine := d.catalog.list(func(k knownPackage) bool { return k.UserID == owner.ID })
	assert.Equal(t, min(maxPackages, len(mine)), get(b, chromedp.Evaluate[int](`document.querySelectorAll(".package").length`)))
	assert.Equal(t, "newest", get(b, chromedp.Evaluate[string](`document.querySelector("[name=sort]").value`)))
	b.check("packages of a user")
	b.do(chromedp.Navigate(home + "/packages?q=nothing+of+that+name"))
	assert.Contains(t, b.text("main"), "No package matches.")
	b.check("no package")

	// Another page by number keeps order and rows.
	b.do(chromedp.Navigate(home + "/packages?sort=newest&rows=24"))
	assert.Empty(t, get(b, chromedp.Evaluate[[]string](small)))
	b.do(keys(".jump [name=page]", "3"))
	b.navigate(".jump button")
	assert.Contains(t, b.text(".pager"), "Page 3 of")
	assert.Equal(t, list[48].ID, b.text(".package h3"))
	b.check("page 3 of packages")

	// Users in another order, by URL and by the form.
	b.do(chromedp.Navigate(home), chromedp.SetValue(css("#users [name=sort]"), "balance"), chromedp.SetValue(css("#users [name=rows]"), "25"))
	b.navigate("#users form:has(#q) button")
	assert.Equal(t, 25, get(b, chromedp.Evaluate[int](`document.querySelectorAll("#user-list tbody tr").length`)))
	assert.True(t, get(b, chromedp.Evaluate[bool](`(() => { const all = [...document.querySelectorAll("#user-list td:last-child")].map((e) => +e.textContent.replace(/[$,]/g, "")); return all.every((v, i) => !i || v <= all[i - 1]) && all[0] > all.at(-1) })()`)), "highest first")
	assert.Equal(t, "descending", get(b, chromedp.Evaluate[string](`document.querySelector("#user-list th:last-child").ariaSort`)))
	b.check("users by balance")
	b.do(keys(".jump [name=page]", "2"))
	b.navigate(".jump button")
	assert.Contains(t, get(b, chromedp.Location()), "sort=balance")
	assert.Contains(t, b.text(".pager"), "Page 2 of")

	// Ignored parameters are shown.
	b.do(chromedp.Navigate(home + "/packages?state=asleep&sort=shoe&rows=7&page=-1"))
	assert.Equal(t, 4, get(b, chromedp.Evaluate[int](`document.querySelectorAll("main > .notice").length`)))
	b.check("an address that makes no sense")
}

func (d *dashboard) state(id string) string {
	k, _ := d.catalog.get(id)
	return k.Level.State
}
