package main

import (
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
)

const drawn = `document.querySelectorAll(".plot canvas").length == document.querySelectorAll(".plot").length && document.querySelector(".plot canvas")`

// text returns an element's current text.
func text(selector string) chromedp.Action[string] {
	return chromedp.Evaluate[string](`document.querySelector("` + selector + `").textContent.trim()`)
}

func TestBrowser_Charts(t *testing.T) {
	inBrowsers(t, func(t *testing.T, d *dashboard, home, size string, b tab) {
		b.do(chromedp.Navigate(home + "/charts"))
		b.waitFor(drawn)
		b.check("charts")
		b.screenshot(size + "-charts")
		for _, path := range []string{"?days=7", "?days=90&type=mobile", "?by=hour&days=7", "?by=hour&days=90", "?package=" + d.catalog.list(nil)[0].ID} {
			b.do(chromedp.Navigate(home + "/charts" + path))
			b.waitFor(drawn)
			b.check("charts" + path)
		}
		b.screenshot(size + "-charts-package")
		b.do(chromedp.Navigate(home + "/charts?by=hour&days=7"))
		b.waitFor(drawn)
		b.screenshot(size + "-charts-hours")

		// Links change the options, and the URL has them.
		b.navigate(`.choices a[href*="days=90"]`)
		b.waitFor(drawn)
		assert.Contains(t, get(b, chromedp.Location()), "by=hour&days=90")

		// The values under the pointer.
		b.do(chromedp.Navigate(home + "/charts?days=7"))
		b.waitFor(drawn)
		total := get(b, text("#spend figure [data-readout]"))
		row := get(b, text("#spend-table tbody tr:last-child td"))
		x := get(b, chromedp.Evaluate[float64](`(() => { const f = document.querySelector("#spend .plot"); f.scrollIntoView({block: "center"}); const r = f.querySelector(".u-over").getBoundingClientRect(); return r.right - r.width / 16; })()`))
		y := get(b, chromedp.Evaluate[float64](`(() => { const r = document.querySelector("#spend .u-over").getBoundingClientRect(); return r.top + r.height / 2; })()`))
		b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
		b.waitFor(`document.querySelector("#spend figure[data-reading]")`)
		assert.Equal(t, row, get(b, text("#spend figure [data-readout]")), "today's row of the table")
		b.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 1, 1))
		b.waitFor(`!document.querySelector("#spend figure[data-reading]")`)
		assert.Equal(t, total, get(b, text("#spend figure [data-readout]")))

		// By keyboard.
		b.do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("#usage .plot").focus({ focusVisible: true })`))
		value := chromedp.Evaluate[string](`document.activeElement.getAttribute("aria-valuetext")`)
		last := get(b, value)
		b.do(chromedp.KeyEvent(kb.ArrowLeft))
		before := get(b, value)
		assert.NotEqual(t, last, before)
		assert.Contains(t, before, get(b, text("#usage [data-readout]")))
		b.check("charts, read by keyboard")
		b.screenshot(size + "-charts-keyboard")
		assert.Equal(t, before, get(b, value), "a redraw in light or dark keeps the position")
		b.do(chromedp.KeyEvent(kb.End))
		assert.Equal(t, last, get(b, value))
		b.do(chromedp.KeyEvent(kb.Home), chromedp.KeyEvent(kb.PageUp))
		assert.Equal(t, last[:6], get(b, value)[:6], "seven days after the first of seven is the last")
		b.do(chromedp.KeyEvent(kb.Escape))
		assert.Equal(t, "in all", get(b, text("#usage [data-when]")))
	})
}
