package whozex_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

func TestReconcile_ReceivedResponse(t *testing.T) {
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("there was a request") })
	ask := func(t *testing.T, op whozex.Operation, body string) whozex.Outcome {
		t.Helper()
		outcome, err := client.Reconcile(t.Context(), &whozex.OutcomeUnknownError{Operation: op, StatusCode: 200, Body: []byte(body)})
		require.NoError(t, err)
		return outcome
	}
	for _, test := range []struct{ name, body string }{
		{name: "a byte order mark before it", body: "\ufeff" + `{"success":true,"data":{"id":"PKG-1"}}`},
		{name: "success is 1", body: `{"success":1,"data":{"id":"PKG-1"}}`},
		{name: "success is a text", body: `{"success":"true","data":{"id":"PKG-1"}}`},
		{name: "a guard against scripts", body: `)]}',` + "\n" + `{"success":true,"data":{"id":"PKG-1"}}`},
		{name: "cut short within data", body: `{"success":true,"data":{"id":"PKG-1","cost":18.`},
		{name: "a field of another kind", body: `{"success":true,"data":{"id":"PKG-1","cost":[]}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			outcome := ask(t, whozex.OpPurchasePackage, test.body)
			require.Equal(t, whozex.OutcomeApplied, outcome.Verdict, outcome.Reason)
			require.NotNil(t, outcome.Package)
			assert.Equal(t, "PKG-1", outcome.Package.ID)
		})
	}
	for _, body := range []string{`{"success":false,"data":{}}`, `{"success":true,"error":{"code":"X"}}`, `{"success":true,"success":false}`, `<html>{"success":true}`} {
		t.Run(body, func(t *testing.T) {
			assert.Nil(t, ask(t, whozex.OpRegenerateKey, body).Package)
			assert.Equal(t, whozex.OutcomeUndecided, ask(t, whozex.OpRegenerateKey, body).Verdict)
		})
	}
	t.Run("what each operation carries", func(t *testing.T) {
		assert.Equal(t, "u1", ask(t, whozex.OpCreateUser, `{"success":true,"data":{"id":"u1"}}`).User.ID)
		assertMoney(t, "7.25", ask(t, whozex.OpAddBalance, `{"success":true,"data":{"amount":7.25,"user_bal`).Change.Amount)
		assert.Equal(t, "WH-1", ask(t, whozex.OpCreateWebhook, `{"success":true,"data":{"id":"WH-1"}}`).Webhook.ID)
		assert.Equal(t, "wx_live_example", ask(t, whozex.OpRegenerateKey, `{"success":true,"data":{"api_key":"wx_live_example"}}`).APIKey.Reveal())
	})
}
