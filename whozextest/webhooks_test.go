package whozextest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

type received struct{ body, signature string }

type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []received
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, received{string(body), req.Header.Get("X-Whozex-Signature")})
	}))
	t.Cleanup(r.Close)
	return r
}

func TestDeliveries(t *testing.T) {
	at := time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)
	s := start(t, WithCustomPrice(usd("1.5")), WithClock(func() time.Time { return at }))
	in := newReceiver(t)
	hook := ok(t, s, "POST", "/webhooks", `{"url":"`+in.URL+`","events":["user.created","balance.added","package.created","package.low_gb"]}`)
	assert.Regexp(t, `^WH-[A-Z0-9]{8}$`, hook.text(t, "id"))
	secret := hook.text(t, "secret")
	assert.Regexp(t, `^wxsec_`, secret)
	assert.Equal(t, "Save the secret — it will not be shown again.", hook.text(t, "note"))

	user := ok(t, s, "POST", "/users", `{"email":"a@example.com"}`).text(t, "id")
	ok(t, s, "POST", "/users/"+user+"/balance", `{"action":"add","amount":50}`)
	ok(t, s, "POST", "/users/"+user+"/balance", `{"action":"deduct","amount":1}`)
	id := buy(t, s, user, `{"gb":20}`)
	for _, gb := range []string{"17", "1", "0.5", "1.5"} {
		require.NoError(t, s.UseGB(id, usd(gb)))
	}
	require.NoError(t, s.WaitDeliveries(t.Context()))

	in.mu.Lock()
	defer in.mu.Unlock()
	var names []string
	for _, got := range in.got {
		var e struct{ Event string }
		require.NoError(t, json.Unmarshal([]byte(got.body), &e))
		names = append(names, e.Event)
		assert.NoError(t, webhookverify.Verify([]byte(got.body), got.signature, secret))
	}
	require.Equal(t, []string{"user.created", "balance.added", "package.created", "package.low_gb"}, names)
	assert.Equal(t, fmt.Sprintf(`{"event":"package.created","data":{"user_id":"%s","package_id":"%s","gb":20,"cost":30.00},`+
		`"timestamp":"2025-01-01T12:00:00.000Z"}`, user, id), in.got[2].body)
}

func TestCreateWebhook_AtMostTen(t *testing.T) {
	s := start(t)
	const body = `{"url":"https://bot.example.com/webhook","events":["user.created"]}`
	for range 10 {
		ok(t, s, "POST", "/webhooks", body)
	}
	r := do(t, s, "POST", "/webhooks", body)
	assert.Equal(t, 400, r.status)
	assert.Equal(t, "INVALID_PARAMS", r.Error.Code)
	// Nothing is sent outside loopback, so nothing is pending.
	ok(t, s, "POST", "/users", `{"email":"a@example.com"}`)
	require.NoError(t, s.WaitDeliveries(t.Context()))
}

func TestSlowReceiver(t *testing.T) {
	s := start(t)
	entered, release := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	}))
	defer slow.Close()
	defer close(release)
	ok(t, s, "POST", "/webhooks", `{"url":"`+slow.URL+`","events":["user.created"]}`)
	ok(t, s, "POST", "/users", `{"email":"a@example.com"}`)
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.WaitDeliveries(ctx), context.DeadlineExceeded)
	s.Close()
	require.NoError(t, s.WaitDeliveries(t.Context()))
}

func TestAnywhere(t *testing.T) {
	const hook = `{"url":"http://app.example:8080/webhooks","events":["user.created"]}`
	for _, tt := range []struct {
		name   string
		opts   []Option
		status int
	}{
		{name: "loopback alone", status: 400},
		{name: "anywhere", opts: []Option{WithAddrAnywhere("0.0.0.0:0"), WithDeliveriesAnywhere()}, status: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.opts...)
			assert.Equal(t, tt.status, do(t, s, "POST", "/webhooks", hook).status)
		})
	}
	_, err := Start(WithAddrAnywhere("8080"))
	assert.ErrorContains(t, err, "no address with a port")
}
