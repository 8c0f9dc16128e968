package whozextest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

func TestNewEventRequest(t *testing.T) {
	created := whozex.PackageCreated{UserID: "u", PackageID: "PKG-1", GB: usd("20"), Cost: usd("30")}
	const written = `{"user_id":"u","package_id":"PKG-1","gb":20,"cost":30.00}`
	for _, tt := range []struct {
		name string
		data any
		want string
	}{
		{name: "documented data", data: created, want: written},
		{name: "a pointer to it", data: &created, want: written},
		{name: "raw JSON", data: json.RawMessage(written), want: written},
		{name: "a map", data: map[string]int{"a": 1}, want: `{"a":1}`},
		{name: "none", data: nil, want: `null`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			verifier, err := webhookverify.New("wxsec_example")
			require.NoError(t, err)
			event, err := verifier.ReadRequest(NewEventRequest("wxsec_example", whozex.EventPackageCreated, tt.data))
			require.NoError(t, err)
			assert.Equal(t, whozex.EventPackageCreated, event.Name)
			assert.Equal(t, tt.want, string(event.Data))
			assert.False(t, event.Timestamp.IsZero())
		})
	}
	assert.Panics(t, func() { NewEventRequest("wxsec_example", "x", func() {}) })
}

func TestNewEventRequest_Sent(t *testing.T) {
	in := newReceiver(t)
	req := NewEventRequest("wxsec_example", "x", nil)
	var err error
	req.URL, err = req.URL.Parse(in.URL + "/hooks")
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Len(t, in.got, 1)
	assert.NoError(t, webhookverify.Verify([]byte(in.got[0].body), in.got[0].signature, "wxsec_example"))
}

func TestSendEvent(t *testing.T) {
	s := start(t)
	require.ErrorIs(t, s.SendEvent(t.Context(), "moon.landed", nil), ErrNoWebhook)
	in := newReceiver(t)
	status := http.StatusOK
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(other.Close)
	hook := ok(t, s, "POST", "/webhooks", `{"url":"`+in.URL+`","events":["moon.landed"]}`)
	failing := ok(t, s, "POST", "/webhooks", `{"url":"`+other.URL+`","events":["moon.landed","user.created"]}`)

	require.NoError(t, s.SendEvent(t.Context(), "moon.landed", map[string]int{"crew": 2}))
	require.Len(t, in.got, 1)
	assert.NoError(t, webhookverify.Verify([]byte(in.got[0].body), in.got[0].signature, hook.text(t, "secret")))
	assert.Contains(t, in.got[0].body, `{"event":"moon.landed","data":{"crew":2},"timestamp":"`)

	status = http.StatusServiceUnavailable
	err := s.SendEvent(t.Context(), "moon.landed", nil)
	require.ErrorContains(t, err, "503")
	require.ErrorContains(t, err, failing.text(t, "id"))
	assert.NotContains(t, err.Error(), hook.text(t, "id"), "the other webhook took it")
	require.ErrorContains(t, s.SendEvent(t.Context(), "moon.landed", func() {}), "func()")
	other.Close()
	require.ErrorContains(t, s.SendEvent(t.Context(), "user.created", nil), failing.text(t, "id"))
}

func TestSendEvent_ContextAndClose(t *testing.T) {
	s := start(t)
	entered, release := make(chan struct{}, 2), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-release
	}))
	defer slow.Close()
	defer close(release)
	ok(t, s, "POST", "/webhooks", `{"url":"`+slow.URL+`","events":["x"]}`)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.SendEvent(ctx, "x", nil) }()
	<-entered
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	go func() { ended <- s.SendEvent(t.Context(), "x", nil) }()
	for pending := 0; pending < 2; { // the second waits behind the first
		s.mu.Lock()
		pending = s.pending
		s.mu.Unlock()
	}
	s.Close()
	require.Error(t, <-ended)
	require.ErrorIs(t, s.SendEvent(t.Context(), "x", nil), ErrNoWebhook)
}
