package main

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

func TestBrowser_User(t *testing.T) {
	inBrowsers(t, func(t *testing.T, d *dashboard, home, size string, b tab) {
		// The user of the latest purchase has packages, usage, transactions and events.
		id := d.catalog.list(nil)[0].UserID
		require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(100)))
		b.do(chromedp.Navigate(home + "/users/" + id))
		b.waitFor(drawn)
		b.check("a user's page")
		b.screenshot(size + "-user-full")
		for _, part := range []string{"#user-summary", "#package-list", "#usage .plot", "#ledger tbody tr", "#happenings li"} {
			assert.True(t, get(b, chromedp.Evaluate[bool](`!!document.querySelector("`+part+`")`)), part)
		}
		assert.Contains(t, get(b, text("#ledger")), d.userCache.get(id).Email, "a payment names the user")

		// One package alone, by URL; then by hour.
		b.navigate(`#package-list .package [href*="package="]`)
		b.waitFor(drawn)
		assert.Contains(t, get(b, chromedp.Location()), "?package=PKG-")
		assert.Contains(t, get(b, text("#usage")), "Of PKG-")
		b.navigate(`.choices a[href*="by=hour"]`)
		b.waitFor(drawn)
		assert.Contains(t, get(b, text("#usage h2")), "Usage by hour")
		assert.Contains(t, get(b, text("#usage")), "Of PKG-")
		b.check("a package's usage by hour")

		// Operations made here are listed here.
		b.do(keys("#amount", "3.25"), keys("#note", "refund"), click("[formaction$='/deduct']"), see("#confirm"), click("#confirm"), see("[data-state=done]"))
		b.navigate(".actions .primary")
		assert.Contains(t, get(b, text("#ledger tbody tr")), "−$3.25")
		assert.Contains(t, get(b, text("#ledger tbody tr")), "refund")
		assert.Equal(t, 1, d.sandbox.Commits(whozex.OpDeductBalance))
		b.do(keys("#size", "5"), submit("#size"), see("#confirm"), click("#confirm"), see("[data-state=done]"))
		require.NoError(t, d.sandbox.WaitDeliveries(t.Context()))
		b.navigate(".actions .primary")
		b.waitFor(`document.querySelector("#happenings li").textContent.includes("5 GB for $4.50")`)
		b.navigate("#ledger tbody a")
		assert.Contains(t, b.text("h1"), "Package bought")
	})
}
