package whozex_test

import (
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/whozex/whozex-go"
)

var quiet = log.New(io.Discard, "", 0)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDo(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/v1/future/a%2Fb?x=1", r.RequestURI)
		respond(w, 200, ok(`{"n":1}`))
	})
	var out struct{ N int }
	require.NoError(t, client.Do(t.Context(), "GET", "future/a%2Fb", map[string][]string{"x": {"1"}}, nil, &out))
	assert.Equal(t, 1, out.N)
	require.NoError(t, client.Do(t.Context(), "HEAD", "/future/a%2Fb", map[string][]string{"x": {"1"}}, nil, nil))
}

func TestDo_MutatingMethods(t *testing.T) {
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		t.Run(method, func(t *testing.T) {
			calls := 0
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) { calls++; respond(w, 503, "") })
			err := client.Do(t.Context(), method, "/x", nil, nil, nil)
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
			assert.Equal(t, 1, calls)
		})
	}
}

func TestRegenerateKey(t *testing.T) {
	var keys []string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		respond(w, 200, ok(`{"api_key":"wx_live_second","plans":[]}`))
	})
	_, err := client.RegenerateKey(t.Context())
	require.NoError(t, err)
	_, err = client.GetPricing(t.Context())
	require.NoError(t, err)
	require.Error(t, client.SetAPIKey("with a blank"))
	require.NoError(t, client.SetAPIKey("wx_live_third"))
	_, err = client.GetPricing(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{testKey, "wx_live_second", "wx_live_third"}, keys)
}

func TestRegenerateKey_NoKeyFound(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, ok(`{"token":"abc"}`)) })
	_, err := client.RegenerateKey(t.Context())
	var unknown *whozex.OutcomeUnknownError
	require.ErrorAs(t, err, &unknown)
	assert.Contains(t, string(unknown.Body), "abc")
}

func TestSetAPIKey_Concurrent(t *testing.T) {
	known := map[string]bool{testKey: true, "wx_live_a": true, "wx_live_b": true}
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.True(t, known[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")])
		respond(w, 200, ok(everything))
	})
	var wg sync.WaitGroup
	for i := range 55 {
		wg.Go(func() {
			for j := range 10 {
				if i < 5 {
					assert.NoError(t, client.SetAPIKey([]string{"wx_live_a", "wx_live_b"}[j%2]))
				} else {
					_, err := client.GetAccount(t.Context())
					assert.NoError(t, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestWithHTTPClient_Timeout(t *testing.T) {
	for name, test := range map[string]struct {
		opts []whozex.Option
		want string
	}{
		"alone":                {want: "no complete response within 5s"},
		"beside WithTimeout":   {opts: []whozex.Option{whozex.WithTimeout(3 * time.Second)}, want: "no complete response within 3s"},
		"before WithTimeout":   {opts: []whozex.Option{whozex.WithHTTPClient(&http.Client{Timeout: time.Hour, Transport: roundTrip(hang)}), whozex.WithTimeout(3 * time.Second)}, want: "no complete response within 3s"},
		"none, so the default": {opts: []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: roundTrip(hang)})}, want: "no complete response within 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				given := whozex.WithHTTPClient(&http.Client{Timeout: 5 * time.Second, Transport: roundTrip(hang)})
				client, err := whozex.New(testKey, append([]whozex.Option{given, whozex.WithMaxRetries(0)}, test.opts...)...)
				require.NoError(t, err)
				_, err = client.GetAccount(t.Context())
				require.ErrorContains(t, err, test.want)
			})
		})
	}
}

func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func TestWithHTTPClient_IsNotChanged(t *testing.T) {
	given := &http.Client{Timeout: 5_000_000_000}
	before := *given
	_, err := whozex.New(testKey, whozex.WithHTTPClient(given))
	require.NoError(t, err)
	assert.Equal(t, before, *given)
}
