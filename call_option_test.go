package whozex_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

func TestMaxRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		ofClient int
		opts     []whozex.CallOption
		attempts int32
	}{
		{name: "the client's", ofClient: 2, attempts: 3},
		{name: "none", ofClient: 2, opts: []whozex.CallOption{whozex.MaxRetries(0)}, attempts: 1},
		{name: "more", ofClient: 1, opts: []whozex.CallOption{whozex.MaxRetries(4)}, attempts: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var attempts atomic.Int32
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				attempts.Add(1)
				respond(w, 503, "")
			}, whozex.WithMaxRetries(tt.ofClient))
			_, err := client.GetAccount(t.Context(), tt.opts...)
			require.ErrorIs(t, err, whozex.ErrServer)
			assert.Equal(t, tt.attempts, attempts.Load())
		})
	}
}

func TestAttemptTimeout(t *testing.T) {
	for _, tt := range []struct {
		name  string
		opts  []whozex.CallOption
		after time.Duration
	}{
		{name: "the client's", after: whozex.DefaultTimeout},
		{name: "shorter", opts: []whozex.CallOption{whozex.AttemptTimeout(time.Second)}, after: time.Second},
		{name: "longer", opts: []whozex.CallOption{whozex.AttemptTimeout(time.Minute)}, after: time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := over(t, func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})
				var until time.Duration
				began := time.Now()
				_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1}, append(tt.opts,
					whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
						until = record.Until.Sub(began)
						return nil
					}))...)
				require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
				require.ErrorContains(t, err, tt.after.String())
				assert.Equal(t, tt.after, time.Since(began))
				assert.GreaterOrEqual(t, until, tt.after, "the record must say when the attempt ends")
			})
		})
	}
}

func TestHeader(t *testing.T) {
	var seen []http.Header
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header)
		status := http.StatusOK
		if len(seen) == 1 {
			status = http.StatusServiceUnavailable
		}
		respond(w, status, ok(`{"id":"r1","balance":1,"stats":{"total_spent":0}}`))
	}, whozex.WithCache(time.Hour))
	for _, opts := range [][]whozex.CallOption{{whozex.Header("x-tenant", "a"), whozex.Header("X-Tenant", "b")}, nil, {whozex.Header("X-Tenant", "c")}} {
		_, err := client.GetAccount(t.Context(), opts...)
		require.NoError(t, err)
	}
	require.Len(t, seen, 4)
	for i, want := range [][]string{{"a", "b"}, {"a", "b"}, nil, {"c"}} {
		assert.Equal(t, want, seen[i].Values("X-Tenant"))
		assert.Equal(t, "Bearer "+testKey, seen[i].Get("Authorization"))
	}
}

func TestCallOptions_Invalid(t *testing.T) {
	var sent atomic.Int32
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { sent.Add(1); respond(w, 200, ok(`{}`)) })
	options := map[string]whozex.CallOption{
		"no time":           whozex.AttemptTimeout(0),
		"beyond the grace":  whozex.AttemptTimeout(whozex.DefaultGrace + 1),
		"negative retries":  whozex.MaxRetries(-1),
		"no header":         whozex.Header("", "x"),
		"no header's name":  whozex.Header("a b", "x"),
		"two lines":         whozex.Header("X-A", "x\r\nX-B: y"),
		"the key":           whozex.Header("authorization", "Bearer other"),
		"the key's other":   whozex.Header("X-API-Key", "other"),
		"idempotency":       whozex.Header("idempotency-key", "1"),
		"idempotency, X":    whozex.Header("X-Idempotency-Key", "1"),
		"of the connection": whozex.Header("Transfer-Encoding", "chunked"),
	}
	for name, opt := range options {
		t.Run(name, func(t *testing.T) {
			sent.Store(0)
			_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1}, opt, whozex.Fresh())
			require.ErrorIs(t, err, whozex.ErrInvalidParams)
			assert.Zero(t, sent.Load())
			_, err = whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}, opt))
			if name != "beyond the grace" { // reads have no grace
				require.ErrorIs(t, err, whozex.ErrInvalidParams)
				assert.Zero(t, sent.Load())
			}
		})
	}
	sent.Store(0)
	var got whozex.Response
	_, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}, whozex.CaptureResponse(&got), whozex.Prefetch(1)))
	require.ErrorIs(t, err, whozex.ErrInvalidParams)
	assert.Zero(t, sent.Load())
}

// TestCallOptions_Iterators checks that an iterator with Fresh sees a balance that another
// process has changed and this one has cached.
func TestCallOptions_Iterators(t *testing.T) {
	server := whozextest.NewServer(whozextest.WithUsers(1))
	t.Cleanup(server.Close)
	client, other := server.Client(whozex.WithCache(time.Hour)), server.Client()
	balance := func(opts ...whozex.PageOption) (whozex.User, string) {
		users, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}, opts...))
		require.NoError(t, err)
		require.Len(t, users, 1)
		return users[0], users[0].Balance.String()
	}
	user, before := balance()
	assert.Equal(t, "0", before)
	_, err := other.AddBalance(t.Context(), user.ID, decimal.NewFromInt(20), "by another process")
	require.NoError(t, err)
	_, cached := balance()
	assert.Equal(t, "0", cached)
	var got whozex.Response
	_, fresh := balance(whozex.Fresh(), whozex.CaptureResponse(&got))
	assert.Equal(t, "20", fresh)
	assert.Equal(t, 1, got.Attempts)
	history, err := whozex.Collect(client.AllTransactions(t.Context(), whozex.ListTransactionsParams{}, whozex.Fresh(), whozex.Prefetch(2)))
	require.NoError(t, err)
	assert.Len(t, history, 1)
}

// TestCallOptions_Coalescing checks that a read without retries does not share its failure
// with one that has retries.
func TestCallOptions_Coalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32
		client := over(t, func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Second) // of a virtual clock
			status := 503
			if sent.Add(1) > 2 {
				status = 200
			}
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(ok(`{"id":"r1","balance":1,"stats":{"total_spent":0}}`)))}, nil
		}, whozex.WithCache(time.Hour))
		failed := make(chan error, 1)
		go func() {
			_, err := client.GetAccount(t.Context(), whozex.MaxRetries(0))
			failed <- err
		}()
		_, err := client.GetAccount(t.Context())
		require.NoError(t, err)
		assert.True(t, errors.Is(<-failed, whozex.ErrServer))
		_, err = client.GetAccount(t.Context(), whozex.MaxRetries(0))
		require.NoError(t, err)
		assert.EqualValues(t, 3, sent.Load())
	})
}
