package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// newOwner makes a visitor and a user with a package of 10 GB.
func newOwner(t *testing.T) (*dashboard, visitor, string, string) {
	t.Helper()
	d, v, id := newBuyer(t)
	path, form, _ := v.quote("/users/"+id+"/purchase", url.Values{"gb": {"10"}, "proxy_type": {"mobile"}})
	v.post(path, form)
	mine := d.catalog.list(func(k knownPackage) bool { return k.UserID == id })
	require.Len(t, mine, 1)
	return d, v, id, mine[0].ID
}

func TestAddGB_Once(t *testing.T) {
	d, v, id, pkg := newOwner(t)
	before := d.sandbox.Requests(whozex.OpAddGB)
	path, form, body := v.quote("/packages/"+pkg+"/add-gb", url.Values{"gb": {"20"}})
	assert.Contains(t, body, "Add GB to this package?")
	want := map[string]string{
		"GB to add": "20", "Price a GB": "$0.90", "Total": "$18.00", "User's balance before": "$491.00", "User's balance after": "$473.00",
	}
	for row, text := range want {
		assert.Equal(t, text, terms(body)[row], row)
	}
	assert.Contains(t, body, pkg)
	assert.Equal(t, before, d.sandbox.Requests(whozex.OpAddGB), "a quote adds nothing")
	body = v.confirmThrice(path, form)
	assert.Contains(t, body, "GB added")
	assert.Equal(t, before+1, d.sandbox.Requests(whozex.OpAddGB))
	balance, _ := d.sandbox.UserBalance(id)
	assert.Equal(t, "473", balance.String())
	got, err := d.client.GetPackage(t.Context(), pkg, whozex.Fresh())
	require.NoError(t, err)
	assert.Equal(t, "30", got.TotalGB.String())
}

func TestAddGB_Refused(t *testing.T) {
	d, v, id, pkg := newOwner(t)
	before := len(d.sandbox.Ledger())
	for _, gb := range []string{"", "0", "-1", "1.5", "1e3", "1000001"} {
		status, _ := v.post("/packages/"+pkg+"/add-gb", url.Values{"gb": {gb}})
		assert.Equal(t, http.StatusUnprocessableEntity, status, gb)
	}
	status, _ := v.post("/packages/PKG-NONE/add-gb", url.Values{"gb": {"5"}})
	assert.Equal(t, http.StatusNotFound, status)
	_, form, body := v.quote("/packages/"+pkg+"/add-gb", url.Values{"gb": {"5000"}})
	assert.Nil(t, form, "no button if the balance is too low")
	assert.Contains(t, body, "too low for these GB")
	assert.Len(t, d.sandbox.Ledger(), before)
	// The balance may change between quote and confirmation.
	body = v.refusedSinceQuote(d, id, "/packages/"+pkg+"/add-gb", url.Values{"gb": {"5"}})
	assert.Contains(t, body, "No GB added")
}

func TestAddGB_LostResponse(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		fault      whozextest.Fault
	}{
		{name: "added", fault: whozextest.CommitThenDrop(), want: "GB added"},
		{name: "not added", fault: whozextest.DropBeforeCommit(), want: "Outcome unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, v, _, pkg := newOwner(t)
			body := afterLoss(t, d, v, whozex.OpAddGB, tt.fault, "/packages/"+pkg+"/add-gb", url.Values{"gb": {"5"}})
			assert.Contains(t, body, tt.want)
			assert.Contains(t, body, "5 GB more in "+pkg+" for Buyer")
		})
	}
}

func TestAddGB_Restart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "dashboard.db")
	d, home, api := launchLive(t, config{write: true, data: data})
	id, err := api.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(50)))
	v := newVisitor(t, home)
	path, form, _ := v.quote("/users/"+id+"/purchase", url.Values{"gb": {"10"}, "proxy_type": {"mobile"}})
	v.post(path, form)
	path, form, _ = v.quote("/packages/"+d.catalog.list(nil)[0].ID+"/add-gb", url.Values{"gb": {"10"}})
	_, to := v.post(path, form)
	_, before := v.get(to)
	require.NoError(t, d.close())
	d, home = launchAs(t, config{write: true, data: data})
	require.Eventually(t, d.usersRead.Load, 10*time.Second, time.Millisecond)
	_, after := newVisitor(t, home).get(path)
	assert.Contains(t, after, "GB added")
	assert.Equal(t, terms(before), terms(after))
	assert.Equal(t, "$32.00", terms(after)["User's balance after"])
	assert.Contains(t, after, "Back to Buyer")
	assert.Equal(t, 1, api.Requests(whozex.OpAddGB))
}
