package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// audit is a script that finds text with too little contrast, controls without a name,
// and parts wider than the window.
//
//go:embed testdata/audit.js
var audit string

// shifts is a script that lists the layout shifts of a page.
const shifts = `new Promise(done => {
	const moved = list => list.getEntries().filter(e => e.value > 0.001).map(e => e.value.toFixed(4) + ": " +
		e.sources.map(s => s.node?.nodeType == 1 ? s.node.outerHTML.slice(0, 60) : s.node?.textContent).join(" | "));
	new PerformanceObserver(list => done(moved(list))).observe({ type: "layout-shift", buffered: true });
	setTimeout(() => done([]), 250);
})`

// watch records what must not happen in a browser: errors, dialogs, and requests to
// other hosts.
type watch struct {
	mu       sync.Mutex
	host     string
	problems []string
	requests int
}

func (w *watch) on(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		w.problems = append(w.problems, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			w.problems = append(w.problems, fmt.Sprintf("console: %s %+v", e.Type, e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			w.problems = append(w.problems, "log: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *cdppage.EventJavascriptDialogOpening:
		w.problems = append(w.problems, "dialog: "+e.Message)
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		w.requests++
		if err != nil || u.Host != w.host {
			w.problems = append(w.problems, "request elsewhere: "+e.Request.URL)
		}
	}
}

// tab is a browser tab. A step that fails there fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	get(b, chromedp.Steps(steps...))
}

func get[T any](b tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		seen, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		require.NoError(b.t, err, seen)
	}
	return value
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// click clicks an element; see waits until one is visible.
func click(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(css(selector)) }
func see(selector string) chromedp.Action[chromedp.Void]   { return chromedp.WaitVisible(css(selector)) }
func keys(selector, what string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(css(selector), what)
}
func choose(selector, what string) chromedp.Action[chromedp.Void] {
	return chromedp.SetValue(css(selector), what)
}
func submit(selector string) chromedp.Action[chromedp.Void] { return chromedp.Submit(css(selector)) }

// waitFor waits for a condition in JavaScript.
func (b tab) waitFor(condition string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { // works across navigations
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		return err == nil && ok
	}, 30*time.Second, 20*time.Millisecond, condition)
}

func (b tab) text(selector string) string {
	b.t.Helper()
	return get(b, chromedp.Text(css(selector)))
}

// navigate clicks a link or button and waits for the next page.
func (b tab) navigate(selector string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("void (window.old = true)"), click(selector))
	b.waitFor(`!window.old && document.readyState == "complete"`)
}

func (b tab) check(where string) {
	b.t.Helper()
	assert.Empty(b.t, get(b, chromedp.Evaluate[[]string](audit)), where)
	if axe := axeCore(b.t); axe != "" {
		before := map[bool]string{true: "dark", false: "light"}[get(b, chromedp.Evaluate[bool](`matchMedia("(prefers-color-scheme: dark)").matches`))]
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			assert.Empty(b.t, get(b, chromedp.Evaluate[[]string](axe+violations, chromedp.EvalAwaitPromise)), "axe-core: %s, %s", where, scheme)
		}
		b.scheme(before)
	}
}

// violations is a script that lists axe-core's findings, after animations have ended.
const violations = `;Promise.all(document.getAnimations().map((a) => (a.finish(), a.finished))).then(() => axe.run()).then((r) =>
	r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")))`

// axeCore returns axe-core's script, or "" unless "npm ci" was run in testdata/axe.
func axeCore(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	return string(script)
}

func (b tab) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png := get(b, chromedp.FullScreenshot(100))
	require.NoError(b.t, os.MkdirAll(dir, 0o755))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

func (b tab) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	require.NoError(b.t, err)
	b.waitFor(fmt.Sprintf(`matchMedia("(prefers-color-scheme: %s)").matches`, name))
}

// browser opens a window of the given size; the function opens tabs in it.
func browser(t *testing.T, width, height int64, phone bool, host string) (*watch, func() tab) {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium")
		}
		t.Skip("no chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	parent, closeAll := chromedp.NewContext(allocator)
	t.Cleanup(closeAll)
	w := &watch{host: host}
	first := true
	return w, func() tab {
		ctx := parent
		if !first {
			var done context.CancelFunc
			ctx, done = chromedp.NewContext(parent)
			t.Cleanup(done)
		}
		first = false
		require.NoError(t, chromedp.Listen(ctx, w.on))
		size := []chromedp.EmulateViewportOption{}
		if phone {
			size = append(size, chromedp.EmulateMobile, chromedp.EmulateTouch)
		}
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		require.NoError(t, err)
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
		require.NoError(t, err)
		require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, height, size...)))
		return tab{t, ctx}
	}
}

func TestBrowser_EveryPage(t *testing.T) {
	for _, size := range sizes {
		t.Run(size.name, func(t *testing.T) {
			d, home := launch(t)
			for email, name := range map[string]string{
				"evil@example.com": "<script>alert(1)</script>", "turn@example.com": "Eve\u202e", "right@example.com": "עברית 5", "long@example.com": strings.Repeat("W", 200),
			} {
				_, err := d.sandbox.AddUser(email, name)
				require.NoError(t, err)
			}
			u, err := url.Parse(home)
			require.NoError(t, err)
			watch, open := browser(t, size.width, size.height, size.phone, u.Host)
			useEveryPage(t, d, home, size.name, size.width, size.height, open)
			watch.mu.Lock()
			defer watch.mu.Unlock()
			assert.Empty(t, watch.problems)
			assert.Greater(t, watch.requests, 10, "the watch records requests")
		})
	}
}

// useEveryPage uses every page and form, as a reseller would.
func useEveryPage(t *testing.T, d *dashboard, home, size string, w, h int64, open func() tab) {
	desk, b := open(), open()
	for _, b := range []tab{desk, b} {
		b.do(chromedp.Navigate(home))
		b.waitFor(`document.querySelectorAll(".plot canvas").length == 2 && document.querySelector(".state.live")`)
	}
	assert.Empty(t, get(b, chromedp.Evaluate[[]string](shifts, chromedp.EvalAwaitPromise)), "layout shifts")
	b.check("overview")
	first := get(b, chromedp.Evaluate[bool](`document.querySelector("#users").getBoundingClientRect().top < document.querySelector("#charts").getBoundingClientRect().top`))
	assert.Equal(t, w < 520, first, "on a phone the users come first")
	b.screenshot(size + "-overview-light")
	b.scheme("dark")
	b.check("overview, dark")
	b.screenshot(size + "-overview-dark")
	b.scheme("light")
	b.do(chromedp.KeyEvent(kb.Tab))
	assert.Equal(t, "Skip to content", get(b, chromedp.Evaluate[string]("document.activeElement.textContent")))
	for _, width := range []int64{360, 768, 1024} {
		b.do(chromedp.EmulateViewport(width, 800))
		b.check(fmt.Sprint("overview at ", width))
	}
	b.do(chromedp.EmulateViewport(w, h))

	// The calculator updates in place.
	b.do(choose("#gb", "120"), submit("#gb"))
	b.waitFor(`document.querySelector("#quote").textContent.includes("$108.00")`)

	// Searches: no match, markup shown as text, a match.
	search := func(what string) {
		b.do(choose("#q", what))
		b.navigate("form:has(#q) button")
	}
	search("nobody at all")
	assert.Contains(t, b.text("#user-list"), "Nobody matches")
	b.check("nobody found")
	search("<script>")
	assert.Contains(t, b.text("#user-list"), "<script>alert(1)</script>")
	b.navigate("#user-list tbody a")
	assert.Equal(t, "<script>alert(1)</script>", b.text("h1"))
	// Names in right-to-left script, and too long for a line.
	for _, who := range []string{"turn@", "right@", "long@"} {
		b.do(chromedp.Navigate(home))
		b.check("overview with " + who)
		search(who)
		b.navigate("#user-list tbody a")
		b.check("user " + who)
		b.do(keys("#amount", "12.50"), submit("#amount"), see("#confirm"))
		b.check("top-up for " + who)
		b.do(click("#confirm"), see("[data-state=done]"))
		b.check("topped up " + who)
	}
	b.do(chromedp.Navigate(home))
	b.check("overview with their events")
	search("okafor")
	assert.Contains(t, b.text("#user-list"), "Amara Okafor")
	b.screenshot(size + "-search")
	b.navigate("#user-list tbody a")
	b.check("user")
	b.screenshot(size + "-user")
	at := get(b, chromedp.Location())
	id := at[strings.LastIndex(at, "/")+1:]

	// A top-up, with its quote.
	before, _ := d.sandbox.UserBalance(id)
	topUps, purchases := d.sandbox.Commits(whozex.OpAddBalance), d.sandbox.Commits(whozex.OpPurchasePackage)
	b.do(keys("#amount", "75.50"), keys("#note", "cash"),
		submit("#amount"), see("#confirm"))
	assert.Contains(t, b.text("main"), usd(before.Add(decimal.RequireFromString("75.50"))))
	assert.Equal(t, topUps, d.sandbox.Commits(whozex.OpAddBalance), "a quote moves nothing")
	b.check("top-up")
	b.screenshot(size + "-topup-quote")
	b.do(click("#confirm"), see("[data-state=done]"))
	b.check("topped up")
	after, _ := d.sandbox.UserBalance(id)
	assert.Equal(t, "75.5", after.Sub(before).String())
	assert.Equal(t, topUps+1, d.sandbox.Commits(whozex.OpAddBalance))

	// A deduction, by the other button of the form.
	b.do(chromedp.Navigate(home+"/users/"+id), keys("#amount", "5.50"), click("[formaction$='/deduct']"), see("#confirm"))
	assert.Equal(t, "Deduct $5.50", b.text("#confirm"))
	b.check("deduction")
	b.do(click("#confirm"), see("[data-state=done]"))
	b.check("deducted")
	after, _ = d.sandbox.UserBalance(id)
	assert.Equal(t, "70", after.Sub(before).String())

	// A purchase by a double click, then one without the script's own guard.
	for n, buy := range []chromedp.Action[chromedp.Void]{
		chromedp.DoubleClick(css("#confirm")),
		chromedp.Evaluate[chromedp.Void](`{ const form = document.querySelector("form[data-once]"); form.submit(); setTimeout(() => form.submit(), 5); }`),
	} {
		b.do(chromedp.Navigate(home+"/users/"+id), keys("#size", fmt.Sprint(20+n)),
			choose("#type", "mobile"), submit("#size"), see("#confirm"))
		assert.Contains(t, b.text("main"), []string{"$18.00", "$18.90"}[n])
		b.check("quote")
		b.screenshot(fmt.Sprintf("%s-quote-%d", size, n))
		b.do(buy, see("[data-state=done]"))
		assert.Equal(t, purchases+n+1, d.sandbox.Commits(whozex.OpPurchasePackage))
		b.do(chromedp.NavigateBack())
		b.do(chromedp.NavigateForward(), chromedp.Reload(), see("[data-state=done]"))
		assert.Equal(t, purchases+n+1, d.sandbox.Commits(whozex.OpPurchasePackage), "back and reload buy nothing")
	}
	b.screenshot(size + "-bought")
	assert.Equal(t, purchases+2, d.sandbox.Requests(whozex.OpPurchasePackage), "one request each")
	var bought []string
	for _, e := range d.sandbox.Ledger() {
		if e.From == id && e.To == whozextest.LedgerSpent && (e.Amount.String() == "18" || e.Amount.String() == "18.9") && time.Since(e.At) < time.Minute {
			bought = append(bought, e.PackageID)
		}
	}
	require.Len(t, bought, 2, "the ledger has each purchase once")

	// The other tab, open all the time, shows both events.
	for _, pkg := range bought {
		desk.waitFor(fmt.Sprintf("document.querySelector('#events').textContent.includes(%q)", pkg))
		desk.waitFor(fmt.Sprintf("document.querySelector('#package-list').textContent.includes(%q)", pkg))
	}
	desk.check("overview with events")

	// Credentials appear only on request.
	b.do(chromedp.Navigate(home + "/users/" + id))
	assert.Zero(t, d.sandbox.Requests(whozex.OpGetCredentials))
	secret := "#secret-" + bought[0]
	assert.Contains(t, b.text(secret), "••••")
	b.do(click(secret+" button"), see(secret+" [data-copy]"))
	assert.Regexp(t, `:[0-9]+:\S+:\S+`, b.text(secret+" code"))
	assert.Equal(t, 1, d.sandbox.Requests(whozex.OpGetCredentials))
	b.check("credentials")
	b.screenshot(size + "-credentials")
	b.do(click(secret + " [data-hide]"))
	b.waitFor(fmt.Sprintf("document.querySelector(%q).textContent.includes('••••')", secret))

	// A lost response: the page shows it, and what was found.
	d.sandbox.Inject(whozex.OpAddBalance, whozextest.DropBeforeCommit(), 1)
	b.do(keys("#amount", "5"), submit("#amount"), see("#confirm"),
		click("#confirm"), see("[data-state=unknown]"))
	b.check("unknown")
	b.screenshot(size + "-unknown")
	b.scheme("dark")
	b.check("unknown, dark")
	b.navigate(`form[action$="/ask"] button`)
	assert.Contains(t, b.text("main"), "no transaction has the note")
	b.do(chromedp.Navigate(home + "/operations"))
	b.check("open outcomes, dark")
	b.screenshot(size + "-open-dark")
	b.navigate("main tbody a")
	b.do(keys("#reason", "the panel has no such transaction"), click("#reason ~ .actions button:last-child"), see("[data-state=refused]"))
	b.check("decided, dark")
	b.do(chromedp.Navigate(home+"/packages"), see("#package-list"))
	b.check("packages, dark")
	b.screenshot(size + "-packages-dark")
}
