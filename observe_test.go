package whozex_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// observed records the calls of an observer.
type observed struct {
	mu    sync.Mutex
	calls []whozex.CallInfo
}

func (o *observed) observe(_ context.Context, c whozex.CallInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, c)
}

// last returns the only call since the last check, without its times.
func (o *observed) last(t *testing.T) whozex.CallInfo {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Len(t, o.calls, 1)
	c := o.calls[0]
	o.calls = nil
	assert.False(t, c.Start.IsZero())
	assert.LessOrEqual(t, c.Waited+c.OnWire, c.Duration)
	assert.Equal(t, c.Attempts > 0, c.OnWire > 0)
	c.Start, c.Duration, c.Waited, c.OnWire = time.Time{}, 0, 0, 0
	return c
}

func TestWithObserver(t *testing.T) {
	var seen observed
	server := whozextest.NewServer(whozextest.WithUsers(1))
	t.Cleanup(server.Close)
	client := server.Client(whozex.WithObserver(seen.observe), whozex.WithCache(time.Hour), whozex.WithBackoff(0, 0))
	users, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{Search: "user1@example.com"}))
	require.NoError(t, err)
	assert.Equal(t, whozex.CallInfo{Operation: "ListUsers", Method: "GET", Route: "/users", Attempts: 1, StatusCode: 200}, seen.last(t))
	_, err = whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{Search: "user1@example.com"}))
	require.NoError(t, err)
	assert.Equal(t, whozex.CallInfo{Operation: "ListUsers", Method: "GET", Route: "/users", StatusCode: 200, Cached: true}, seen.last(t))
	id := users[0].ID
	for _, tt := range []struct {
		name    string
		fault   []whozextest.Fault
		call    func() error
		want    whozex.CallInfo
		is      error
		outcome string
	}{
		{
			name: "refused", outcome: "error", is: whozex.ErrInsufficientBalance,
			call: func() error {
				_, err := client.PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{GB: 20})
				return err
			},
			want: whozex.CallInfo{Operation: "PurchasePackage", Method: "POST", Route: "/users/{user_id}/packages", Attempts: 1, StatusCode: 402, Code: "INSUFFICIENT_BALANCE"},
		},
		{
			name: "not sent", outcome: "error", is: whozex.ErrInvalidParams,
			call: func() error {
				_, err := client.PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{})
				return err
			},
			want: whozex.CallInfo{Operation: "PurchasePackage", Method: "POST", Route: "/users/{user_id}/packages"},
		},
		{
			name: "lost", outcome: "unknown", is: whozex.ErrOutcomeUnknown, fault: []whozextest.Fault{whozextest.CommitThenDrop()},
			call: func() error {
				_, err := client.AddBalance(t.Context(), id, decimal.NewFromInt(1), "x")
				return err
			},
			want: whozex.CallInfo{Operation: "AddBalance", Method: "POST", Route: "/users/{user_id}/balance", Attempts: 1, OutcomeUnknown: true},
		},
		{
			name: "retried", outcome: "ok", fault: []whozextest.Fault{whozextest.ServerErrorBeforeCommit(503)},
			call: func() error {
				_, err := client.GetPricing(t.Context())
				return err
			},
			want: whozex.CallInfo{Operation: "GetPricing", Method: "GET", Route: "/pricing", Attempts: 2, StatusCode: 200},
		},
		{
			name: "a new key", outcome: "ok",
			call: func() error {
				_, err := client.RegenerateKey(t.Context())
				return err
			},
			want: whozex.CallInfo{Operation: "RegenerateKey", Method: "POST", Route: "/account/regenerate-key", Attempts: 1, StatusCode: 200},
		},
		{
			name: "Do", outcome: "error", is: whozex.ErrNotFound,
			call: func() error { return client.Do(t.Context(), "PUT", "/users/"+id, nil, nil, nil) },
			want: whozex.CallInfo{Operation: "Do", Method: "PUT", Attempts: 1, StatusCode: 404, Code: "NOT_FOUND"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, fault := range tt.fault {
				server.Inject(tt.want.Operation, fault, 1)
			}
			err := tt.call()
			require.ErrorIs(t, err, tt.is)
			got := seen.last(t)
			assert.Equal(t, err, got.Err)
			assert.Equal(t, tt.outcome, got.Outcome())
			tt.want.Err = err
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestWithObserver_UnreadableResponse(t *testing.T) {
	var seen observed
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, "<html>") }, whozex.WithObserver(seen.observe))
	_, err := client.GetAccount(t.Context())
	require.Error(t, err)
	assert.Equal(t, whozex.CallInfo{Operation: "GetAccount", Method: "GET", Route: "/account", Attempts: 1, StatusCode: 200, Err: err}, seen.last(t))
}

func TestWithObserver_Times(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []whozex.CallInfo
		log, logged := debugLog()
		attempts := 0
		client := over(t, func(*http.Request) (*http.Response, error) {
			attempts++
			time.Sleep(time.Second) // of a virtual clock
			resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(ok(`{"is_vip":true,"plans":[]}`)))}
			if attempts == 1 {
				resp.StatusCode = 503
				resp.Header.Set("Retry-After", "5")
			}
			return resp, nil
		}, whozex.WithObserver(func(_ context.Context, c whozex.CallInfo) { calls = append(calls, c) }), logged)
		began := time.Now()
		_, err := client.GetPricing(t.Context())
		require.NoError(t, err)
		require.Len(t, calls, 1)
		c := calls[0]
		assert.Equal(t, began, c.Start)
		assert.Equal(t, 7*time.Second, c.Duration)
		assert.Equal(t, 5*time.Second, c.Waited)
		assert.Equal(t, 2*time.Second, c.OnWire)
		_, fields := records(t, log)
		ended := fields[len(fields)-1]
		assert.Equal(t, []any{"7s", "5s", "2s"}, []any{ended["duration"], ended["waited"], ended["on_wire"]}, "times in the log can be read")
	})
}

func TestWithCallHook(t *testing.T) {
	type key struct{}
	var ended []string
	hook := func(name string) whozex.Option {
		return whozex.WithCallHook(func(ctx context.Context, c whozex.CallInfo) (context.Context, func(whozex.CallInfo)) {
			assert.Equal(t, whozex.CallInfo{Operation: "GetPricing", Method: "GET", Route: "/pricing", Start: c.Start}, c)
			above, _ := ctx.Value(key{}).(string)
			return context.WithValue(ctx, key{}, above+name), func(whozex.CallInfo) { ended = append(ended, name) }
		})
	}
	var sent string
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, 401, refusal("INVALID_API_KEY", "")) }, hook("a"), hook("b"),
		whozex.WithCallHook(func(context.Context, whozex.CallInfo) (context.Context, func(whozex.CallInfo)) { return nil, nil }),
		whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				sent, _ = r.Context().Value(key{}).(string)
				return next.RoundTrip(r)
			})
		}))
	_, err := client.GetPricing(t.Context())
	require.ErrorIs(t, err, whozex.ErrInvalidAPIKey)
	assert.Equal(t, "ab", sent)
	assert.Equal(t, []string{"a", "b"}, ended)
	for _, opt := range []whozex.Option{whozex.WithCallHook(nil), whozex.WithObserver(nil)} {
		_, err := whozex.New(testKey, opt)
		assert.True(t, errors.Is(err, whozex.ErrMissingField))
	}
}
