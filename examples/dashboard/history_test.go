package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
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

// part returns one section of a page.
func part(body, id string) string {
	return regexp.MustCompile(`(?s)<section id="` + id + `".*?</section>`).FindString(body)
}

// TestLedger_TransactionsOfUser checks that a transaction that names the user in any
// field counts; the API documents no field for it.
func TestLedger_TransactionsOfUser(t *testing.T) {
	now := time.Now().UTC().Format(time.RFC3339)
	one := func(field, value string) map[string]string {
		text, _ := json.Marshal(value)
		return map[string]string{"/transactions": `{"transactions":[{"id":"t1","type":"deposit","amount":77.25,"created_at":"` + now + `","` + field + `":` + string(text) + `}]}`}
	}
	const purchases = 3 // known to the dashboard
	for _, tt := range []struct {
		name string
		data map[string]string
		want int // rows
		text string
	}{
		{name: "the email in a note", data: one("note", "bank transfer, Buyer@Example.com."), want: purchases + 1, text: "$77.25"},
		{name: "the email in brackets", data: one("description", "transfer (buyer@example.com)"), want: purchases + 1, text: "$77.25"},
		{name: "the email in a field of its own", data: one("user_email", "buyer@example.com"), want: purchases + 1, text: "$77.25"},
		{name: "a longer email", data: one("note", "for big.buyer@example.com"), want: purchases},
		{name: "an email of a longer domain", data: one("note", "for buyer@example.com.tr"), want: purchases},
		{name: "nobody", data: one("note", "cash"), want: purchases},
		{name: "markup", data: one("note", "buyer@example.com <script>"), want: purchases + 1, text: "&lt;script&gt;"},
		{name: "no transactions", data: map[string]string{"/transactions": `{"transactions":[]}`}, want: purchases},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, v, id := launchWithData(t, tt.data)
			_, body := v.get("/users/" + id)
			table := part(body, "ledger")
			assert.Equal(t, tt.want, strings.Count(table, `<th scope="row">`), table)
			assert.Contains(t, table, tt.text)
			assert.NotContains(t, table, "<script>")
		})
	}
}

// TestLedger_PurchaseListedOnce checks that a purchase is listed once, however the API's
// list names it.
func TestLedger_PurchaseListedOnce(t *testing.T) {
	for _, field := range []string{`"user_id":"USER"`, `"note":"PKG"`, `"note":"for buyer@example.com"`, `"package":{"id":"PKG"},"user":{"id":"USER"}`} {
		_, v, id := launchWithData(t, map[string]string{"/transactions": `{"transactions":[{"id":"t1","type":"purchase","amount":-9,"balance_after":491,"created_at":"BOUGHT",` + field + `}]}`})
		_, body := v.get("/users/" + id)
		table := part(body, "ledger")
		assert.Equal(t, 3, strings.Count(table, `<th scope="row">`), field)
		assert.Contains(t, table, "$491.00")
	}
}

// TestLedger_AddedGBAreNoPurchase checks that added GB do not count as the purchase of
// their package.
func TestLedger_AddedGBAreNoPurchase(t *testing.T) {
	_, v, id := launchWithData(t, map[string]string{"/transactions": `{"transactions":[{"id":"t1","type":"add_gb","amount":-9,"created_at":"BOUGHT","note":"for PKG"}]}`})
	_, body := v.get("/users/" + id)
	assert.Equal(t, 4, strings.Count(part(body, "ledger"), `<th scope="row">`))
}

func TestLedger_OperationsMadeHere(t *testing.T) {
	d, v, id := newBuyer(t)
	do := func(what string, form url.Values) string {
		path, token, _ := v.quote("/users/"+id+"/"+what, form)
		status, _ := v.post(path, token)
		require.Equal(t, http.StatusSeeOther, status)
		return path
	}
	do("top-up", url.Values{"amount": {"12.50"}, "note": {"cash"}})
	do("deduct", url.Values{"amount": {"2.50"}})
	bought := do("purchase", twenty)
	d.sandbox.Inject(whozex.OpAddBalance, whozextest.DropBeforeCommit(), 1)
	lost := do("top-up", url.Values{"amount": {"3"}})
	require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(1)))
	require.NoError(t, d.sandbox.WaitDeliveries(t.Context()))
	_, body := v.get("/users/" + id)
	table := part(body, "ledger")
	assert.Equal(t, 4, strings.Count(table, `<th scope="row">`), table)
	for _, want := range []string{"$12.50", "$512.50", "cash", "−$2.50", "−$18.00", bought, lost, "outcome unknown"} {
		assert.Contains(t, table, want)
	}
	assert.Contains(t, part(body, "happenings"), "20 GB for $18.00")

	user, err := d.find(t.Context(), id)
	require.NoError(t, err)
	_, err = d.client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "other@example.com"}) // empties the cache
	require.NoError(t, err)
	d.sandbox.SetAPIDisabled(true)
	l := d.ledgerOf(t.Context(), user, nil)
	assert.Contains(t, l.Problem, "The API refused the key")
	assert.Len(t, l.Movements, 4, "what is stored here needs no API")
}

func TestUser_Events(t *testing.T) {
	data := filepath.Join(t.TempDir(), "dashboard.db")
	t.Setenv("WHOZEX_WEBHOOK_SECRET", "wxsec_test")
	d, _, api := launchLive(t, config{data: data})
	id, err := api.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	began := time.Now().Add(-time.Hour)
	receive := func(n int, name, fields string) {
		require.NoError(t, d.receive(t.Context(), &webhookverify.Event{Name: name, Timestamp: began.Add(time.Duration(n) * time.Second), Data: json.RawMessage(fields)}))
	}
	receive(1, whozex.EventPackageCreated, `{"user_id":"`+id+`","package_id":"PKG-ABCDEF","gb":20,"cost":18.00}`)
	receive(2, whozex.EventPackageLowGB, `{"package_id":"PKG-ABCDEF","remaining_gb":2,"total_gb":20}`)
	receive(3, whozex.EventBalanceAdded, `{"user_id":"somebody-else","amount":5,"user_balance":5}`)
	receive(4, "something.new", `{"user_id":"`+id+`","why":"<script>"}`)
	receive(4, "something.new", `{"user_id":"`+id+`","why":"<script>"}`) // redelivered
	require.NoError(t, d.close())
	d, home := launchAs(t, config{data: data})
	_, body := newVisitor(t, home).get("/users/" + id)
	list := part(body, "happenings")
	for _, want := range []string{"20 GB for $18.00, PKG-ABCDEF", "2 of 20 GB left", "why &lt;script&gt;"} {
		assert.Equal(t, 1, strings.Count(list, want), want)
	}
	assert.Equal(t, 3, strings.Count(list, "<li"))
	assert.Less(t, strings.Index(list, "something.new"), strings.Index(list, "package.created"), "newest first")

	for n := range maxUserEvents + 5 {
		receive(100+n, "something.new", fmt.Sprintf(`{"user_id":%q,"n":%d}`, id, n))
	}
	events, err := d.store.eventsOf(t.Context(), id)
	require.NoError(t, err)
	assert.Len(t, events, maxUserEvents)
	assert.Contains(t, events[0].Text, "104")
}

// TestUser_NothingKnown checks that the page of a new user has no empty card.
func TestUser_NothingKnown(t *testing.T) {
	_, home, api := launchLive(t, config{})
	id, err := api.AddUser("new@example.com", "New")
	require.NoError(t, err)
	v := newVisitor(t, home)
	v.get("/?q=new@") // the list read at the start lacks the new user
	_, body := v.get("/users/" + id)
	for _, want := range []string{"None known yet", "No package is known here.", "None is known yet.", "None has come yet."} {
		assert.Contains(t, body, want)
	}
	assert.NotContains(t, body, `class="plot"`)
}
