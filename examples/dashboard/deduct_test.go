package main

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// terms reads the rows of an operation's table.
func terms(body string) map[string]string {
	rows := map[string]string{}
	for _, row := range regexp.MustCompile(`<th scope="row">([^<]+)</th><td class="n">([^<]+)</td>`).FindAllStringSubmatch(body, -1) {
		rows[row[1]] = row[2]
	}
	return rows
}

func TestDeduction(t *testing.T) {
	d, v, id := newBuyer(t)
	mine := d.sandbox.Balance()
	before := d.sandbox.Requests(whozex.OpDeductBalance)
	path, form, body := v.quote("/users/"+id+"/deduct", url.Values{"amount": {"120.50"}, "note": {"refund"}})
	assert.Contains(t, body, "Make this deduction?")
	want := map[string]string{
		"Amount": "$120.50", "User's balance before": "$500.00", "User's balance after": "$379.50",
		"Your balance after": usd(mine.Add(decimal.RequireFromString("120.5"))),
	}
	assert.Equal(t, want, terms(body))
	assert.Equal(t, before, d.sandbox.Requests(whozex.OpDeductBalance), "a quote moves nothing")
	body = v.confirmThrice(path, form)
	assert.Contains(t, body, "Deduction made")
	assert.Equal(t, want, terms(body))
	balance, _ := d.sandbox.UserBalance(id)
	assert.Equal(t, "379.5", balance.String())
	assert.Equal(t, before+1, d.sandbox.Requests(whozex.OpDeductBalance), "once")
}

func TestDeduction_WholeBalance(t *testing.T) {
	_, v, id := newBuyer(t)
	path, form, _ := v.quote("/users/"+id+"/deduct", url.Values{"amount": {"500"}})
	_, to := v.post(path, form)
	_, body := v.get(to)
	assert.Equal(t, "$0.00", terms(body)["User's balance after"])
}

func TestDeduction_BalanceTooLow(t *testing.T) {
	d, v, id := newBuyer(t)
	_, form, body := v.quote("/users/"+id+"/deduct", url.Values{"amount": {"500.01"}})
	assert.Nil(t, form, "no button")
	assert.Contains(t, body, "balance is lower than that.")
	// The balance may change between quote and confirmation.
	path, form, _ := v.quote("/users/"+id+"/deduct", url.Values{"amount": {"500"}})
	require.NoError(t, d.sandbox.SetUserBalance(id, decimal.NewFromInt(5)))
	_, to := v.post(path, form)
	_, body = v.get(to)
	assert.Contains(t, body, "Not deducted")
	assert.Contains(t, body, "No money was moved.")
	balance, _ := d.sandbox.UserBalance(id)
	assert.Equal(t, "5", balance.String())
}

func TestDeduction_Restart(t *testing.T) {
	data := filepath.Join(t.TempDir(), "dashboard.db")
	d, home, api := launchLive(t, config{write: true, data: data})
	id, err := api.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	require.NoError(t, api.SetUserBalance(id, decimal.NewFromInt(50)))
	v := newVisitor(t, home)
	path, form, _ := v.quote("/users/"+id+"/deduct", url.Values{"amount": {"20"}})
	_, to := v.post(path, form)
	_, before := v.get(to)
	require.NoError(t, d.close())
	_, home = launchAs(t, config{write: true, data: data})
	_, after := newVisitor(t, home).get(path)
	assert.Contains(t, after, "Deduction made")
	assert.Equal(t, terms(before), terms(after))
	assert.Equal(t, "$30.00", terms(after)["User's balance after"])
	assert.Equal(t, 1, api.Requests(whozex.OpDeductBalance))
}

func TestDeduction_NeedsWrite(t *testing.T) {
	_, home, api := launchLive(t, config{})
	id, err := api.AddUser("buyer@example.com", "Buyer")
	require.NoError(t, err)
	status, _ := newVisitor(t, home).post("/users/"+id+"/deduct", url.Values{"amount": {"5"}})
	assert.Equal(t, http.StatusForbidden, status)
}
