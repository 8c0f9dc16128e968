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

// audit finds text with too little contrast, controls without a name, and parts
// that are wider than the window.
//
//go:embed testdata/audit.js
var audit string

// shifts tells which parts of a page moved while it loaded, by how much.
const shifts = `new Promise(done => {
	const moved = list => list.getEntries().filter(e => e.value > 0.001).map(e => e.value.toFixed(4) + ": " +
		e.sources.map(s => s.node?.nodeType == 1 ? s.node.outerHTML.slice(0, 60) : s.node?.textContent).join(" | "));
	new PerformanceObserver(list => done(moved(list))).observe({ type: "layout-shift", buffered: true });
	setTimeout(() => done([]), 250);
})`

// watch keeps what a browser must not do: errors, dialogs, calls to other hosts.
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

// tab is one page of the browser, on which every step must succeed.
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

// click presses a control, and see waits for one.
func click(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(css(selector)) }
func see(selector string) chromedp.Action[chromedp.Void]   { return chromedp.WaitVisible(css(selector)) }
func keys(selector, what string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(css(selector), what)
}
func choose(selector, what string) chromedp.Action[chromedp.Void] {
	return chromedp.SetValue(css(selector), what)
}
func submit(selector string) chromedp.Action[chromedp.Void] { return chromedp.Submit(css(selector)) }

// until waits for a condition in JavaScript.
func (b tab) until(condition string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { // over navigations, too
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+condition+")"))
		return err == nil && ok
	}, 30*time.Second, 20*time.Millisecond, condition)
}

func (b tab) text(selector string) string {
	b.t.Helper()
	return get(b, chromedp.Text(css(selector)))
}

// leave presses what leads to another page, and waits for that.
func (b tab) leave(selector string) {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("void (window.old = true)"), click(selector))
	b.until(`!window.old && document.readyState == "complete"`)
}

func (b tab) sound(where string) {
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

// violations are those that axe-core finds, once what fades in has done so.
const violations = `;Promise.all(document.getAnimations().map((a) => (a.finish(), a.finished))).then(() => axe.run()).then((r) =>
	r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.html.slice(0, 120)).join(" | ")))`

// axeCore is the script of axe-core, if "npm ci" was run in testdata/axe.
func axeCore(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("testdata/axe/node_modules/axe-core/axe.min.js")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	return string(script)
}

func (b tab) shoot(name string) {
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
	b.until(fmt.Sprintf(`matchMedia("(prefers-color-scheme: %s)").matches`, name))
}

// browser opens a window of this size; open makes tabs in it.
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

func TestInARealBrowser(t *testing.T) {
	for _, size := range []struct {
		name          string
		width, height int64
		phone         bool
	}{{"phone", 390, 844, true}, {"desktop", 1440, 900, false}} {
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
			customer(t, d, home, size.name, size.width, size.height, open)
			watch.mu.Lock()
			defer watch.mu.Unlock()
			assert.Empty(t, watch.problems)
			assert.Greater(t, watch.requests, 10, "the watch saw what happened")
		})
	}
}

// customer does what the one at the page does, and looks at every page.
func customer(t *testing.T, d *dashboard, home, size string, w, h int64, open func() tab) {
	desk, b := open(), open()
	for _, b := range []tab{desk, b} {
		b.do(chromedp.Navigate(home))
		b.until(`document.querySelectorAll(".plot canvas").length == 2 && document.querySelector(".state.live")`)
	}
	assert.Empty(t, get(b, chromedp.Evaluate[[]string](shifts, chromedp.EvalAwaitPromise)), "layout shifts")
	b.sound("overview")
	first := get(b, chromedp.Evaluate[bool](`document.querySelector("#users").getBoundingClientRect().top < document.querySelector("#charts").getBoundingClientRect().top`))
	assert.Equal(t, w < 520, first, "on a phone the users come first")
	b.shoot(size + "-overview-light")
	b.scheme("dark")
	b.sound("overview, dark")
	b.shoot(size + "-overview-dark")
	b.scheme("light")
	b.do(chromedp.KeyEvent(kb.Tab))
	assert.Equal(t, "Skip to content", get(b, chromedp.Evaluate[string]("document.activeElement.textContent")))
	for _, width := range []int64{360, 768, 1024} {
		b.do(chromedp.EmulateViewport(width, 800))
		b.sound(fmt.Sprint("overview at ", width))
	}
	b.do(chromedp.EmulateViewport(w, h))

	// A calculation, in place.
	b.do(choose("#gb", "120"), submit("#gb"))
	b.until(`document.querySelector("#quote").textContent.includes("$108.00")`)

	// Nobody, then markup as text, then somebody.
	search := func(what string) {
		b.do(choose("#q", what))
		b.leave("form:has(#q) button")
	}
	search("nobody at all")
	assert.Contains(t, b.text("#user-list"), "Nobody matches")
	b.sound("nobody found")
	search("<script>")
	assert.Contains(t, b.text("#user-list"), "<script>alert(1)</script>")
	b.leave("#user-list tbody a")
	assert.Equal(t, "<script>alert(1)</script>", b.text("h1"))
	// Names that turn the line around, or do not fit on it.
	for _, who := range []string{"turn@", "right@", "long@"} {
		b.do(chromedp.Navigate(home))
		b.sound("overview with " + who)
		search(who)
		b.leave("#user-list tbody a")
		b.sound("user " + who)
		b.do(keys("#amount", "12.50"), submit("#amount"), see("#confirm"))
		b.sound("top-up for " + who)
		b.do(click("#confirm"), see("[data-state=done]"))
		b.sound("topped up " + who)
	}
	b.do(chromedp.Navigate(home))
	b.sound("overview with their events")
	search("okafor")
	assert.Contains(t, b.text("#user-list"), "Amara Okafor")
	b.shoot(size + "-search")
	b.leave("#user-list tbody a")
	b.sound("user")
	b.shoot(size + "-user")
	at := get(b, chromedp.Location())
	id := at[strings.LastIndex(at, "/")+1:]

	// A top-up, of which the quote tells first.
	before, _ := d.sandbox.UserBalance(id)
	topUps, purchases := d.sandbox.Commits(whozex.OpAddBalance), d.sandbox.Commits(whozex.OpPurchasePackage)
	b.do(keys("#amount", "75.50"), keys("#note", "cash"),
		submit("#amount"), see("#confirm"))
	assert.Contains(t, b.text("main"), usd(before.Add(decimal.RequireFromString("75.50"))))
	assert.Equal(t, topUps, d.sandbox.Commits(whozex.OpAddBalance), "a quote moves nothing")
	b.sound("top-up")
	b.shoot(size + "-topup-quote")
	b.do(click("#confirm"), see("[data-state=done]"))
	b.sound("topped up")
	after, _ := d.sandbox.UserBalance(id)
	assert.Equal(t, "75.5", after.Sub(before).String())
	assert.Equal(t, topUps+1, d.sandbox.Commits(whozex.OpAddBalance))

	// And a part of it back again, by the other button of the form.
	b.do(chromedp.Navigate(home+"/users/"+id), keys("#amount", "5.50"), click("[formaction$='/deduct']"), see("#confirm"))
	assert.Equal(t, "Deduct $5.50", b.text("#confirm"))
	b.sound("deduction")
	b.do(click("#confirm"), see("[data-state=done]"))
	b.sound("deducted")
	after, _ = d.sandbox.UserBalance(id)
	assert.Equal(t, "70", after.Sub(before).String())

	// A purchase by a double click, then once more past the script's own guard.
	for n, buy := range []chromedp.Action[chromedp.Void]{
		chromedp.DoubleClick(css("#confirm")),
		chromedp.Evaluate[chromedp.Void](`{ const form = document.querySelector("form[data-once]"); form.submit(); setTimeout(() => form.submit(), 5); }`),
	} {
		b.do(chromedp.Navigate(home+"/users/"+id), keys("#size", fmt.Sprint(20+n)),
			choose("#type", "mobile"), submit("#size"), see("#confirm"))
		assert.Contains(t, b.text("main"), []string{"$18.00", "$18.90"}[n])
		b.sound("quote")
		b.shoot(fmt.Sprintf("%s-quote-%d", size, n))
		b.do(buy, see("[data-state=done]"))
		assert.Equal(t, purchases+n+1, d.sandbox.Commits(whozex.OpPurchasePackage))
		b.do(chromedp.NavigateBack())
		b.do(chromedp.NavigateForward(), chromedp.Reload(), see("[data-state=done]"))
		assert.Equal(t, purchases+n+1, d.sandbox.Commits(whozex.OpPurchasePackage), "back and reload buy nothing")
	}
	b.shoot(size + "-bought")
	assert.Equal(t, purchases+2, d.sandbox.Requests(whozex.OpPurchasePackage), "one request each")
	var bought []string
	for _, e := range d.sandbox.Ledger() {
		if e.From == id && e.To == whozextest.LedgerSpent && (e.Amount.String() == "18" || e.Amount.String() == "18.9") && time.Since(e.At) < time.Minute {
			bought = append(bought, e.PackageID)
		}
	}
	require.Len(t, bought, 2, "the ledger has each purchase once")

	// The other tab, which was open all the time, was told of both.
	for _, pkg := range bought {
		desk.until(fmt.Sprintf("document.querySelector('#events').textContent.includes(%q)", pkg))
		desk.until(fmt.Sprintf("document.querySelector('#package-list').textContent.includes(%q)", pkg))
	}
	desk.sound("overview with events")

	// Credentials, fetched when asked for and not before.
	b.do(chromedp.Navigate(home + "/users/" + id))
	assert.Zero(t, d.sandbox.Requests(whozex.OpGetCredentials))
	secret := "#secret-" + bought[0]
	assert.Contains(t, b.text(secret), "••••")
	b.do(click(secret+" button"), see(secret+" [data-copy]"))
	assert.Regexp(t, `:[0-9]+:\S+:\S+`, b.text(secret+" code"))
	assert.Equal(t, 1, d.sandbox.Requests(whozex.OpGetCredentials))
	b.sound("credentials")
	b.shoot(size + "-credentials")
	b.do(click(secret + " [data-hide]"))
	b.until(fmt.Sprintf("document.querySelector(%q).textContent.includes('••••')", secret))

	// An answer is lost: it says so, and what was found.
	d.sandbox.Inject(whozex.OpAddBalance, whozextest.DropBeforeCommit(), 1)
	b.do(keys("#amount", "5"), submit("#amount"), see("#confirm"),
		click("#confirm"), see("[data-state=unknown]"))
	b.sound("unknown")
	b.shoot(size + "-unknown")
	b.scheme("dark")
	b.sound("unknown, dark")
	b.leave(`form[action$="/ask"] button`)
	assert.Contains(t, b.text("main"), "no transaction has the note")
	b.do(chromedp.Navigate(home + "/operations"))
	b.sound("open outcomes, dark")
	b.shoot(size + "-open-dark")
	b.leave("main tbody a")
	b.do(keys("#reason", "the panel has no such transaction"), click("#reason ~ .actions button:last-child"), see("[data-state=refused]"))
	b.sound("decided, dark")
	b.do(chromedp.Navigate(home+"/packages"), see("#package-list"))
	b.sound("packages, dark")
	b.shoot(size + "-packages-dark")
}
