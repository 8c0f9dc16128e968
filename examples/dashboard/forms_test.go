package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

// newBuyer makes a visitor and a user with a balance.
func newBuyer(t *testing.T) (*dashboard, visitor, string) {
	d, home := launch(t)
	id, err := d.sandbox.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(500)))
	return d, newVisitor(t, home), id
}

var twenty = url.Values{"gb": {"20"}, "proxy_type": {"residential"}}

func TestConfirm_BuysOnce(t *testing.T) {
	d, v, id := newBuyer(t)
	before := d.sandbox.Requests(whozex.OpPurchasePackage)
	path, form, body := v.quote("/users/"+id+"/purchase", twenty)
	assert.Contains(t, body, "$18.00")
	assert.Equal(t, before, d.sandbox.Requests(whozex.OpPurchasePackage), "a quote buys nothing")
	// The response is late, so that all clicks come during the call.
	d.sandbox.Inject(whozex.OpPurchasePackage, whozextest.LateCommit(200*time.Millisecond), 1)
	var clicks sync.WaitGroup
	for range 20 {
		clicks.Go(func() {
			res, _, err := v.send(t.Context(), http.MethodPost, path, form)
			if assert.NoError(t, err) {
				assert.Equal(t, path, res.Header.Get("Location"))
			}
		})
	}
	clicks.Wait()
	status, to := v.post(path, nil) // a reload
	assert.Equal(t, http.StatusSeeOther, status)
	_, body = v.get(to)
	assert.Contains(t, body, "Package bought")
	assert.Equal(t, before+1, d.sandbox.Requests(whozex.OpPurchasePackage))
	balance, _ := d.sandbox.UserBalance(id)
	assert.Equal(t, "482", balance.String())
}

// TestConfirm_BrowserDisconnects is a double click without scripts: the browser cancels
// the first request, which must not cancel the purchase.
func TestConfirm_BrowserDisconnects(t *testing.T) {
	d, v, id := newBuyer(t)
	path, form, _ := v.quote("/users/"+id+"/purchase", twenty)
	before := d.sandbox.Requests(whozex.OpPurchasePackage)
	d.sandbox.Inject(whozex.OpPurchasePackage, whozextest.LateCommit(300*time.Millisecond), 1)
	ctx, hangUp := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := v.send(ctx, http.MethodPost, path, form)
		ended <- err
	}()
	require.Eventually(t, func() bool {
		op, _ := d.ops.get(path[len("/operations/"):])
		return op.State == sending
	}, 10*time.Second, time.Millisecond)
	hangUp()
	require.ErrorIs(t, <-ended, context.Canceled)
	status, to := v.post(path, form)
	assert.Equal(t, http.StatusSeeOther, status)
	_, body := v.get(to)
	assert.Contains(t, body, "Package bought")
	assert.Equal(t, before+1, d.sandbox.Requests(whozex.OpPurchasePackage))
}

func TestConfirm_ForeignForms(t *testing.T) {
	d, v, id := newBuyer(t)
	path, form, _ := v.quote("/users/"+id+"/purchase", twenty)
	other, otherForm, _ := v.quote("/users/"+id+"/top-up", url.Values{"amount": {"1"}})
	before := d.sandbox.Requests(whozex.OpPurchasePackage) + d.sandbox.Requests(whozex.OpAddBalance)
	stranger := newVisitor(t, v.home)
	_, _, _ = stranger.quote("/users/"+id+"/top-up", url.Values{"amount": {"1"}}) // has its own session
	for name, try := range map[string]func() (int, string){
		"no token":        func() (int, string) { return v.post(path, nil) },
		"a made-up token": func() (int, string) { return v.post(path, url.Values{"token": {"AAAAAAAAAAAAAAAAAAAAAAAAAA"}}) },
		"another form's":  func() (int, string) { return v.post(path, otherForm) },
		"the other way":   func() (int, string) { return v.post(other, form) },
		"another browser": func() (int, string) { return stranger.post(path, form) },
		"no session":      func() (int, string) { return newVisitor(t, v.home).post(path, form) },
		"another site": func() (int, string) {
			return v.post(path, form, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
		},
		"another port": func() (int, string) {
			return v.post(path, form, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") })
		},
		"an old browser's": func() (int, string) {
			return v.post(path, form, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://evil.example") })
		},
		"a quote from abroad": func() (int, string) {
			return v.post("/users/"+id+"/purchase", twenty, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
		},
	} {
		status, body := try()
		assert.Equal(t, http.StatusForbidden, status, name)
		assert.Contains(t, body, "Nothing was done", name)
	}
	assert.Equal(t, before, d.sandbox.Requests(whozex.OpPurchasePackage)+d.sandbox.Requests(whozex.OpAddBalance))
	_, body := stranger.get(path)
	assert.NotContains(t, body, form.Get("token"), "the token is for its own browser only")
	status, _ := v.post(path, form)
	assert.Equal(t, http.StatusSeeOther, status, "none of that consumed the token")
}

func TestConfirm_ExpiredQuote(t *testing.T) {
	d, v, id := newBuyer(t)
	path, form, _ := v.quote("/users/"+id+"/purchase", twenty)
	d.ops.mu.Lock()
	d.ops.all[path[len("/operations/"):]].QuotedAt = time.Now().Add(-quoteTTL - time.Second)
	d.ops.mu.Unlock()
	before := d.sandbox.Requests(whozex.OpPurchasePackage)
	for _, path := range []string{path, "/operations/NEVER"} {
		status, body := v.post(path, form)
		assert.Equal(t, http.StatusGone, status)
		assert.Contains(t, body, "Nothing was sent")
	}
	assert.Equal(t, before, d.sandbox.Requests(whozex.OpPurchasePackage))
}

func TestConfirm_PriceChanged(t *testing.T) {
	d, v, id := newBuyer(t)
	path, form, _ := v.quote("/users/"+id+"/purchase", twenty)
	d.ops.mu.Lock()
	d.ops.all[path[len("/operations/"):]].Amount = decimal.NewFromInt(17)
	d.ops.mu.Unlock()
	before := d.sandbox.Requests(whozex.OpPurchasePackage)
	_, to := v.post(path, form)
	_, body := v.get(to)
	assert.Contains(t, body, "The price is now $18.00, not $17.00 as quoted.")
	assert.Contains(t, body, "No money was moved.")
	assert.Equal(t, before, d.sandbox.Requests(whozex.OpPurchasePackage))
}

func TestForms_Refused(t *testing.T) {
	d, v, id := newBuyer(t)
	before := len(d.sandbox.Ledger())
	for _, amount := range []string{"", "0", "0.00", "-5", "1e9", "12,50", "0.001", "5 USD", "NaN", "9999999999"} {
		status, _ := v.post("/users/"+id+"/top-up", url.Values{"amount": {amount}})
		assert.Equal(t, http.StatusUnprocessableEntity, status, amount)
	}
	for _, gb := range []string{"", "0", "-1", "1.5", "1e3", "10000000"} {
		status, _ := v.post("/users/"+id+"/purchase", url.Values{"gb": {gb}, "proxy_type": {"mobile"}})
		assert.Equal(t, http.StatusUnprocessableEntity, status, gb)
	}
	status, _ := v.post("/users/"+id+"/purchase", url.Values{"gb": {"5"}, "proxy_type": {"gold"}})
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	status, _ = v.post("/users/nobody/purchase", twenty)
	assert.Equal(t, http.StatusNotFound, status)
	_, form, body := v.quote("/users/"+id+"/purchase", url.Values{"gb": {"5000"}, "proxy_type": {"mobile"}})
	assert.Nil(t, form, "no button if the balance is too low")
	assert.Contains(t, body, "too low")
	assert.Len(t, d.sandbox.Ledger(), before)
	// The balance may change between quote and confirmation.
	body = v.refusedSinceQuote(d, id, "/users/"+id+"/purchase", twenty)
	assert.Contains(t, body, "Not bought")
}

func TestConfirm_LostResponse(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		form       url.Values
		op         whozex.Operation
		fault      whozextest.Fault
		want       []string
	}{
		{name: "top-up that was made", path: "top-up", form: url.Values{"amount": {"5"}, "note": {"cash"}}, op: whozex.OpAddBalance, fault: whozextest.CommitThenDrop(), want: []string{"Top-up made", "No response came to the call itself", "cash</code>"}},
		{name: "top-up that was not", path: "top-up", form: url.Values{"amount": {"5"}}, op: whozex.OpAddBalance, fault: whozextest.DropBeforeCommit(), want: []string{"Outcome unknown", "no transaction has the note", "It can be decided from", "Ask again"}},
		{name: "deduction that was made", path: "deduct", form: url.Values{"amount": {"5"}}, op: whozex.OpDeductBalance, fault: whozextest.CommitThenDrop(), want: []string{"Deduction made"}},
		{name: "deduction that was not", path: "deduct", form: url.Values{"amount": {"5"}}, op: whozex.OpDeductBalance, fault: whozextest.DropBeforeCommit(), want: []string{"Outcome unknown"}},
		{name: "purchase that was made", path: "purchase", form: twenty, op: whozex.OpPurchasePackage, fault: whozextest.CommitThenDrop(), want: []string{"Package bought", "No response came to the call itself"}},
		{name: "purchase that was not", path: "purchase", form: twenty, op: whozex.OpPurchasePackage, fault: whozextest.ServerErrorBeforeCommit(502), want: []string{"Outcome unknown", "Ask again", "Do not repeat it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, v, id := newBuyer(t)
			body := afterLoss(t, d, v, tt.op, tt.fault, "/users/"+id+"/"+tt.path, tt.form)
			for _, want := range tt.want {
				assert.Contains(t, body, want)
			}
		})
	}
}

// afterLoss confirms a quote twice while the response to op is lost, asks again for the
// outcome, and returns the page. It checks that one request is sent.
func afterLoss(t *testing.T, d *dashboard, v visitor, op whozex.Operation, fault whozextest.Fault, quote string, values url.Values) (body string) {
	t.Helper()
	path, form, _ := v.quote(quote, values)
	before := d.sandbox.Requests(op)
	d.sandbox.Inject(op, fault, 1)
	for range 2 {
		status, to := v.post(path, form)
		require.Equal(t, http.StatusSeeOther, status)
		require.Equal(t, path, to)
	}
	status, _ := v.post(path+"/ask", nil)
	require.Equal(t, http.StatusSeeOther, status)
	_, body = v.get(path)
	assert.Equal(t, before+1, d.sandbox.Requests(op), "nothing is sent twice")
	return body
}

// TestConfirm_LostPurchaseOnLiveAPI checks that the outcome stays unknown, since others
// may buy there too, and is shown beside the package that an event names.
func TestConfirm_LostPurchaseOnLiveAPI(t *testing.T) {
	t.Setenv("WHOZEX_WEBHOOK_SECRET", "wxsec_test")
	d, home, api := launchLive(t, config{write: true})
	id, err := api.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(500)))
	v := newVisitor(t, home)
	path, form, _ := v.quote("/users/"+id+"/purchase", twenty)
	api.Inject(whozex.OpPurchasePackage, whozextest.CommitThenDrop(), 1)
	status, _ := v.post(path, form)
	require.Equal(t, http.StatusSeeOther, status)
	require.NoError(t, d.receive(t.Context(), &webhookverify.Event{
		Name: whozex.EventPackageCreated, Timestamp: time.Now(),
		Data: json.RawMessage(`{"user_id":"` + id + `","package_id":"PKG-ABCDEF","gb":20,"cost":18.00}`),
	}))
	_, body := v.get(path)
	assert.Contains(t, body, "undecided")
	assert.Contains(t, body, "Packages in events since then")
	assert.Contains(t, body, "PKG-ABCDEF")
	_, body = v.get("/")
	assert.Contains(t, body, "Do not repeat it before you know the outcome.", "every page warns")
	assert.Equal(t, 1, api.Requests(whozex.OpPurchasePackage))
}
