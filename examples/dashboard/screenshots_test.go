package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// TestScreenshots takes a screenshot of every page, in both sizes, light and dark:
//
//	SCREENSHOTS="$HOME/shots" go -C examples test ./dashboard -run TestScreenshots
//
// The README shows desktop-overview-light.png.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		t.Skip("SCREENSHOTS names no directory for the pictures")
	}
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			d, home := launch(t)
			u, err := url.Parse(home)
			require.NoError(t, err)
			readAll(t, d)
			pages := preparePages(t, d, home)
			_, open := browser(t, size.width, size.height, size.phone, u.Host)
			b := open()
			for _, page := range pages {
				for _, scheme := range []string{"light", "dark"} {
					b.scheme(scheme)
					b.do(chromedp.Navigate(home + page.path))
					if page.path == "/" {
						b.waitFor(`document.querySelectorAll(".plot canvas").length == 2 && document.querySelector(".state.live")`)
					}
					picture := paletted(t, get(b, chromedp.FullScreenshot(100)))
					assert.Greater(t, len(picture), 5_000, page.name)
					require.NoError(t, os.WriteFile(filepath.Join(dir, size.name+"-"+page.name+"-"+scheme+".png"), picture, 0o644))
				}
			}
		})
	}
}

// readAll makes the dashboard read every package, without its rate limit.
func readAll(t *testing.T, d *dashboard) {
	t.Helper()
	client := d.sandbox.Client()
	for _, k := range d.catalog.list(nil) {
		pkg, err := client.GetPackage(t.Context(), k.ID)
		require.NoError(t, err)
		require.NoError(t, d.catalog.setLevel(k.ID, levelOf(pkg.RemainingGB, pkg.TotalGB, time.Now())))
	}
	require.Eventually(t, d.usersRead.Load, 30*time.Second, time.Millisecond)
}

type scenePage struct{ name, path string }

// preparePages makes the state that each page shows, and lists the pages.
func preparePages(t *testing.T, d *dashboard, home string) []scenePage {
	t.Helper()
	low := d.catalog.attention(1)[0]
	require.NoError(t, d.sandbox.SetUserBalance(low.UserID, decimal.NewFromInt(60)))
	v := newVisitor(t, home)
	quote, _, _ := v.quote("/packages/"+low.ID+"/add-gb", url.Values{"gb": {"20"}})
	bought, form, _ := v.quote("/users/"+low.UserID+"/purchase", url.Values{"gb": {"10"}, "proxy_type": {"mobile"}})
	v.post(bought, form)
	d.sandbox.Inject(whozex.OpAddBalance, whozextest.DropBeforeCommit(), 1)
	unknown, form, _ := v.quote("/users/"+low.UserID+"/top-up", url.Values{"amount": {"25"}})
	v.post(unknown, form)
	return []scenePage{
		{"user", "/users/" + low.UserID}, {"users-by-balance", "/?sort=balance&rows=25"}, {"packages", "/packages"},
		{"packages-low", "/packages?state=low"}, {"charts", "/charts"}, {"quote", quote}, {"done", bought}, {"unknown", unknown},
		{"open", "/operations"}, {"missing", "/nothing"}, {"overview", "/"},
	}
}

// paletted reduces an image to its 256 most frequent colours, for a small file.
func paletted(t *testing.T, data []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	count := map[color.Color]int{}
	bounds := full.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	var palette color.Palette
	for c := range count {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int { return count[b] - count[a] })
	palette = palette[:min(256, len(palette))]
	index, small := map[color.Color]uint8{}, image.NewPaletted(bounds, palette)
	for c := range count {
		index[c] = uint8(palette.Index(c))
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, index[full.At(x, y)])
		}
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	require.NoError(t, encoder.Encode(&out, small))
	return out.Bytes()
}
