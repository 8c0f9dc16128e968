package main

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// follow reads the event stream after the event with the given number.
func follow(t *testing.T, home, since string) func() string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, home+"/events", nil)
	require.NoError(t, err)
	req.Header.Set("Last-Event-ID", since)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	assert.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	lines := bufio.NewScanner(res.Body)
	return func() string {
		var id string
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "id: ") {
				id = lines.Text()
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return id + " " + words(data)
			}
		}
		t.Fatal("the stream ended")
		return ""
	}
}

func TestEvents_Live(t *testing.T) {
	t.Setenv("WHOZEX_WEBHOOK_SECRET", "wxsec_test")
	d, home, _ := launchLive(t, config{})
	zero := d.hub.seq
	id := func(n int) string { return fmt.Sprintf("id: %d ", zero+n) }
	next := follow(t, home, fmt.Sprint(zero))
	send := func(body, secret, host string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, home+"/webhooks", strings.NewReader(body))
		require.NoError(t, err)
		req.Host = host
		req.Header.Set(webhookverify.SignatureHeader, webhookverify.Sign([]byte(body), secret))
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		_ = res.Body.Close()
		return res.StatusCode
	}
	created := func(n int) string {
		return fmt.Sprintf(`{"event":"package.created","data":{"user_id":"u-%d","package_id":"PKG-00000%d","gb":20,"cost":18.00},"timestamp":"2026-01-02T03:04:05Z"}`, n, n)
	}
	assert.Equal(t, http.StatusUnauthorized, send(created(1), "wrong", "tunnel.example"))
	assert.Equal(t, http.StatusOK, send(created(1), "wxsec_test", "tunnel.example"), "a tunnel has another host name")
	assert.Equal(t, http.StatusOK, send(created(1), "wxsec_test", "tunnel.example"), "redelivered: accepted and not shown")
	first := next()
	assert.Contains(t, first, id(1))
	assert.Contains(t, first, "20 GB for $18.00, PKG-000001")
	assert.Equal(t, http.StatusOK, send(`{"event":"<b>new</b>","data":{"amount":5.10,"why":"<script>"},"timestamp":"2026-01-02T03:04:05Z"}`, "wxsec_test", "x"))
	second := next()
	assert.Contains(t, second, id(2))
	assert.Contains(t, second, "amount 5.1, why &lt;script&gt;")
	assert.NotContains(t, second, "<b>")
	assert.Contains(t, follow(t, home, fmt.Sprint(zero+1))(), id(2), "a stream resumes where it ended")
	_, body := newVisitor(t, home).get("/packages")
	assert.Contains(t, body, "PKG-000001")
	assert.Contains(t, body, "The API has no such item", "the API has no such package")
}

func TestEvents_SandboxPurchase(t *testing.T) {
	d, home := launch(t)
	next := follow(t, home, fmt.Sprint(d.hub.since(0)[0].Seq))
	id, err := d.sandbox.AddUser("told@example.com", "Told")
	require.NoError(t, err)
	require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(50)))
	pkg, err := d.client.PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{GB: 10})
	require.NoError(t, err)
	assert.Contains(t, next(), pkg.ID)
}

// TestIndex_ManyViewers has 200 viewers reload the page within the lifetime of the
// cache: each resource on the page is requested once.
func TestIndex_ManyViewers(t *testing.T) {
	t.Setenv("WHOZEX_API_KEY", "")
	d, home := launchAs(t, config{ttl: time.Hour})
	require.Eventually(t, func() bool { return d.usersRead.Load() }, 30*time.Second, time.Millisecond, "the names are known")
	for _, k := range d.catalog.list(nil) { // no low ones, since their list would change while it is read
		require.NoError(t, d.catalog.setLevel(k.ID, levelOf(k.GB, k.GB, time.Now())))
	}
	const viewers, reloads = 200, 3
	transport := &http.Transport{MaxIdleConnsPerHost: viewers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	before, began := len(d.sandbox.RequestLog()), time.Now()
	tick := make([]chan struct{}, reloads)
	for i := range tick {
		tick[i] = make(chan struct{})
		time.AfterFunc(time.Duration(i)*time.Second, func() { close(tick[i]) })
	}
	var all sync.WaitGroup
	for range viewers {
		all.Go(func() {
			for i := range tick {
				<-tick[i]
				res, err := client.Get(home)
				if !assert.NoError(t, err) {
					return
				}
				_, err = bufio.NewReader(res.Body).Discard(1 << 10)
				assert.NoError(t, err)
				_ = res.Body.Close()
				assert.Equal(t, http.StatusOK, res.StatusCode)
			}
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	asked := map[string]int{}
	for _, r := range d.sandbox.RequestLog()[before:] {
		asked[r.Path+"?"+r.Query]++
	}
	const things = 4 + overviewNewest // account, prices, chart, users, and each package
	t.Logf("%d viewers, %d pages in %v: %d API calls", viewers, viewers*reloads, elapsed.Round(time.Millisecond), len(asked))
	assert.Len(t, asked, things)
	for what, times := range asked {
		assert.Equal(t, 1, times, what)
	}
}
