package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

// invisible holds characters that change direction, end a line or are not shown.
const invisible = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\u2028\u0085\u0007"

var isolated = regexp.MustCompile(`(?s)<bdi>.*?</bdi>`)

// inputs matches input elements. They may contain raw text.
var inputs = regexp.MustCompile(`<input[^>]*>`)

// TestPages_UntrustedText shows a hostile name, email, note and event on every page.
func TestPages_UntrustedText(t *testing.T) {
	d, home := launch(t)
	v := newVisitor(t, home)
	name := "Eve" + invisible + "12.50 <i>added</bdi>"
	id, err := d.sandbox.AddUser("eve\u202e\u2067@example.com", name)
	require.NoError(t, err)
	require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(100)))
	data, err := json.Marshal(map[string]string{"user_id": id, "why": "w" + invisible})
	require.NoError(t, err)
	require.NoError(t, d.receive(t.Context(), &webhookverify.Event{Name: "x" + invisible, Timestamp: time.Now(), Data: data}))
	paths := []string{"/", "/?q=" + url.QueryEscape("eve\u202e"), "/?q=none" + url.QueryEscape(invisible), "/users/" + id, "/packages"}
	for _, tt := range []struct {
		name  string
		form  url.Values
		op    whozex.Operation
		fault *whozextest.Fault
	}{
		{name: "purchase", form: twenty},
		{name: "top-up", form: url.Values{"amount": {"5"}, "note": {"n" + invisible + "n"}}},
		{name: "top-up", form: url.Values{"amount": {"6"}}, op: whozex.OpAddBalance, fault: new(whozextest.DropBeforeCommit())},
	} {
		quote, form, body := v.quote("/users/"+id+"/"+tt.name, tt.form)
		assert.NotContains(t, inputs.ReplaceAllString(body, ""), "\u202e", "a confirmation shows the code point")
		assert.Contains(t, body, "Eve[U+202A]")
		assert.Contains(t, body, "[U+0007]12.50 &lt;i&gt;added&lt;/bdi&gt;")
		assert.Contains(t, body, "eve[U+202E][U+2067]@example.com")
		if tt.fault != nil {
			d.sandbox.Inject(tt.op, *tt.fault, 1)
		}
		v.post(quote, form)
		paths = append(paths, quote)
	}
	for _, path := range paths {
		_, body, err := v.send(t.Context(), http.MethodGet, path, nil)
		require.NoError(t, err)
		assert.Contains(t, body, "Eve", path)
		outside := inputs.ReplaceAllString(isolated.ReplaceAllString(body, ""), "")
		at := strings.IndexAny(outside, invisible)
		assert.Negative(t, at, "%s: %.60q", path, outside[max(0, at-30):])
	}
}

func TestDescribe(t *testing.T) {
	for _, tt := range []struct{ name, event, data, want string }{
		{name: "balance added", event: whozex.EventBalanceAdded, data: `{"user_id":"u","amount":30.00,"user_balance":30.00}`, want: "$30.00 added, the balance is now $30.00"},
		{name: "floating point and exponent", event: whozex.EventPackageLowGB, data: `{"user_id":"u","package_id":"PKG-1","remaining_gb":0.30000000000000004,"total_gb":1e3}`, want: "0.3 of 1,000 GB left, PKG-1"},
		{name: "another field", event: whozex.EventBalanceAdded, data: `{"sum":1e3,"done":true,"user_id":"u"}`, want: "done yes, sum 1,000"},
		{name: "a huge exponent", event: "x", data: `{"sum":1e999999999}`, want: "sum 1e999999999"},
		{name: "no object", event: whozex.EventUserCreated, data: `[1]`, want: "[1]"},
		{name: "a user", event: whozex.EventUserCreated, data: `{"name":"<b>","email":"b@example.com"}`, want: "&lt;b&gt;, b@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := describe(&webhookverify.Event{Name: tt.event, Data: json.RawMessage(tt.data)})
			assert.Equal(t, tt.want, words(string(text)))
		})
	}
}

func TestEvents_TimestampFarOff(t *testing.T) {
	d, _ := launch(t)
	for _, at := range []time.Time{{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)} {
		require.NoError(t, d.receive(t.Context(), &webhookverify.Event{Name: "x", Data: json.RawMessage(`{}`), Timestamp: at}))
		assert.WithinDuration(t, time.Now(), d.hub.since(0)[0].At, time.Minute)
	}
}
