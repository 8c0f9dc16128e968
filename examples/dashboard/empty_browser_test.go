package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/whozextest"
)

// blank is a script that lists empty cards.
const blank = `[...document.querySelectorAll("main .card")].filter((e) => !e.innerText.trim()).map((e) => e.outerHTML.slice(0, 80))`

func onto(data map[string]string) func(*testing.T) (*dashboard, string) {
	return func(t *testing.T) (*dashboard, string) {
		api := whozextest.NewServer()
		t.Cleanup(api.Close)
		return launchOver(t, api, data)
	}
}

func TestBrowser_EmptyAccount(t *testing.T) {
	for _, tt := range []struct {
		name  string
		data  map[string]string
		pages []string
	}{
		{name: "a new account", pages: []string{"/", "/charts", "/charts?days=90&by=hour", "/packages", "/operations"}},
		{name: "an account without a name or figures", pages: []string{"/"}, data: map[string]string{"/account": `{}`, "/account/stats": `{}`, "/analytics/overview": `{}`, "/pricing": `{}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBrowsersOn(t, onto(tt.data), func(t *testing.T, d *dashboard, home, size string, b tab) {
				for _, path := range tt.pages {
					b.do(chromedp.Navigate(home + path))
					b.waitFor(`document.readyState == "complete"`)
					assert.Empty(t, get(b, chromedp.Evaluate[[]string](blank)), path)
					assert.Zero(t, get(b, chromedp.Evaluate[int](`document.querySelectorAll(".plot, canvas").length`)), "no axes without a figure: %s", path)
					b.check(path)
				}
			})
		})
	}
}

// labels is a script that records the text drawn on canvases.
const labels = `window.labels = []; { const write = CanvasRenderingContext2D.prototype.fillText;
	CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) { window.labels.push(text); return write.call(this, text, ...rest); }; }`

// TestCharts_TickLabelsDiffer checks that no two ticks of a chart have the same label.
func TestCharts_TickLabelsDiffer(t *testing.T) {
	for _, spent := range []string{"0.01", "4.99"} {
		t.Run(spent, func(t *testing.T) {
			today := time.Now().UTC().Format(time.DateOnly)
			data := map[string]string{"/overview": fmt.Sprintf(`{"chart":[{"date":%q,"spent":%s,"gb":%[2]s}]}`, today, spent)}
			inBrowsersOn(t, onto(data), func(t *testing.T, d *dashboard, home, size string, b tab) {
				_, err := chromedp.Call(b.ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: labels})
				require.NoError(t, err)
				b.do(chromedp.Navigate(home + "/charts"))
				b.waitFor(drawn)
				b.waitFor("labels.length > 4")
				got := get(b, chromedp.Evaluate[[]string]("labels"))
				dollars := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return s[0] != '$' })
				require.Greater(t, len(dollars), 1, got)
				assert.Len(t, slices.Compact(slices.Clone(dollars)), len(dollars), dollars)
			})
		})
	}
}
