package main

import (
	"fmt"
	"net/url"
	"testing"

	permission "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// inBrowsers runs look in a phone and a desktop window, and fails the test on script
// errors and requests to other hosts.
func inBrowsers(t *testing.T, look func(t *testing.T, d *dashboard, home, size string, b tab)) {
	t.Helper()
	inBrowsersOn(t, launch, look)
}

// inBrowsersOn is inBrowsers with another dashboard than the example business.
func inBrowsersOn(t *testing.T, launch func(*testing.T) (*dashboard, string), look func(t *testing.T, d *dashboard, home, size string, b tab)) {
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			d, home := launch(t)
			u, err := url.Parse(home)
			require.NoError(t, err)
			watch, open := browser(t, size.width, size.height, size.phone, u.Host)
			look(t, d, home, size.name, open())
			watch.mu.Lock()
			defer watch.mu.Unlock()
			assert.Empty(t, watch.problems)
		})
	}
}

func TestBrowser_Credentials(t *testing.T) {
	inBrowsers(t, func(t *testing.T, d *dashboard, home, size string, b tab) {
		_, err := chromedp.CallBrowser(b.ctx, permission.SetPermission, permission.SetPermissionParams{
			Permission: &permission.PermissionDescriptor{Name: "clipboard-read"}, Setting: permission.PermissionSettingGranted,
		})
		require.NoError(t, err)
		id, err := d.sandbox.AddUser("buyer@example.com", "Buyer")
		require.NoError(t, err)
		require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(50)))
		pkg, err := d.client.PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{GB: 10})
		require.NoError(t, err)
		require.NoError(t, d.sandbox.WaitDeliveries(t.Context()))

		secret := "#secret-" + pkg.ID
		b.do(chromedp.Navigate(home+"/users/"+id), see(secret))
		password, asked := pkg.EvomiPassword.Reveal(), d.sandbox.Requests(whozex.OpGetCredentials)
		shown := fmt.Sprintf("document.documentElement.outerHTML.includes(%q)", password)
		assert.False(t, get(b, chromedp.Evaluate[bool](shown)), "the page has no secret before a request")
		assert.Zero(t, asked)
		b.do(click(secret+" button"), see(secret+" [data-copy]"))
		assert.True(t, get(b, chromedp.Evaluate[bool](shown)))
		b.do(keys(secret+" [name=country]", "tr"), keys(secret+" [name=city]", "Izmir"), click(secret+" .target button"))
		b.waitFor(fmt.Sprintf("document.querySelector(%q).textContent.includes('_country-TR_city-Izmir@')", secret))
		assert.Equal(t, 2, d.sandbox.Requests(whozex.OpGetCredentials))
		b.check("credentials of a place")
		b.screenshot(size + "-credentials-of-a-place")
		for n, want := range []string{"rp.evomi.com:1000:", "rp.evomi.com:1002:", "curl -x 'http://"} {
			button := fmt.Sprintf("%s dd:nth-of-type(%d) button", secret, n+1)
			b.do(click(button))
			b.waitFor(fmt.Sprintf("document.querySelector(%q).textContent == 'Copied'", button))
			copied := get(b, chromedp.Evaluate[string]("navigator.clipboard.readText()", chromedp.EvalAwaitPromise))
			assert.Contains(t, copied, want)
			assert.Contains(t, copied, password+"_country-TR_city-Izmir")
		}
		b.do(choose(secret+" [name=city]", "?"), click(secret+" .target button"), see(secret+" .problem"))
		assert.Equal(t, "?", get(b, chromedp.Value(css(secret+" [name=city]"))), "the input is kept")
		assert.False(t, get(b, chromedp.Evaluate[bool](shown)))
		b.check("credentials refused")
		b.do(choose(secret+" [name=city]", "Rize"), click(secret+" .target button"), see(secret+" [data-copy]"), click(secret+" [data-hide]"))
		b.waitFor("!" + shown)
		b.do(see(secret + " .masked"))
	})
}
