package whozex_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

type middleware = func(http.RoundTripper) http.RoundTripper

// passThrough hides the transport that it wraps, as tracing does.
func passThrough(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		return next.RoundTrip(r.WithContext(context.WithValue(r.Context(), passOnKey{}, "")))
	})
}

type passOnKey struct{}

func TestWithMiddleware(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var saw []string
	note := func(name string) middleware {
		return func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				op, attempt := whozex.OperationFromContext(r.Context())
				mu.Lock()
				saw = append(saw, name+" "+string(op)+" "+string(rune('0'+attempt)))
				mu.Unlock()
				assert.Empty(t, r.Header.Get("Authorization"), "the key must stay beneath middleware")
				r.Header.Add("X-Trace", name)
				return next.RoundTrip(r)
			})
		}
	}
	var traced [][]string
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		traced = append(traced, r.Header.Values("X-Trace"))
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
		if r.Method == http.MethodPost {
			assert.JSONEq(t, `{"gb":1}`, string(body))
		}
		if len(traced)%2 == 1 {
			respond(w, 429, "")
			return
		}
		respond(w, 200, ok(everything))
	}, whozex.WithMiddleware(note("outer"), note("inner")))
	_, err := client.GetAccount(t.Context())
	require.NoError(t, err)
	_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"outer GetAccount 1", "inner GetAccount 1", "outer GetAccount 2", "inner GetAccount 2",
		"outer AddGB 1", "inner AddGB 1", "outer AddGB 2", "inner AddGB 2",
	}, saw)
	for _, headers := range traced {
		assert.Equal(t, []string{"outer", "inner"}, headers)
	}
}

func TestOperationFromContext_OtherContext(t *testing.T) {
	op, attempt := whozex.OperationFromContext(t.Context())
	assert.Empty(t, op)
	assert.Zero(t, attempt)
}

// TestWithMiddleware_Faulty checks what middleware may do and what is refused.
func TestWithMiddleware_Faulty(t *testing.T) {
	twice := func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(strings.NewReader(`{"gb":1}`))
			resp, err := next.RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			return next.RoundTrip(again)
		})
	}
	for _, tt := range []struct {
		name    string
		wrap    middleware
		sent    int32
		unknown bool
		says    string
	}{
		{
			name: "sends twice", wrap: twice, sent: 1, unknown: true,
			says: "middleware sent the request of a mutating call twice",
		},
		{
			name: "drops the context", sent: 0, says: "middleware dropped the context of the request",
			wrap: func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					return next.RoundTrip(r.WithContext(context.Background()))
				})
			},
		},
		{
			name: "sends elsewhere", sent: 0, says: "another host",
			wrap: func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					out := r.Clone(r.Context())
					out.URL.Host = "other.example"
					return next.RoundTrip(out)
				})
			},
		},
		{
			name: "fails by itself", sent: 0, says: "circuit breaker is open",
			wrap: func(http.RoundTripper) http.RoundTripper {
				return roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("circuit breaker is open") })
			},
		},
		{
			name: "fails after the response", sent: 1, unknown: true, says: "token refresh failed",
			wrap: func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(r)
					if err == nil {
						_ = resp.Body.Close()
					}
					return nil, errors.New("token refresh failed")
				})
			},
		},
		{
			name: "gives up while its request is on the way", sent: 1, unknown: true, says: "given up",
			wrap: func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					started := make(chan struct{})
					go func() {
						close(started)
						resp, err := next.RoundTrip(r)
						if err == nil {
							_ = resp.Body.Close()
						}
					}()
					<-started
					time.Sleep(20 * time.Millisecond) // let the request arrive, to see it counted
					return nil, errors.New("given up")
				})
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sent atomic.Int32
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				sent.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				respond(w, 200, ok(everything))
			}, whozex.WithMiddleware(tt.wrap), whozex.WithMaxRetries(0))
			_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.ErrorContains(t, err, tt.says)
			assert.Equal(t, tt.unknown, errors.Is(err, whozex.ErrOutcomeUnknown), err)
			assert.Equal(t, tt.sent, sent.Load())
		})
	}
}

// TestWithMiddleware_LateRequest checks that middleware which returned an error without
// sending cannot send after the call has a definite error.
func TestWithMiddleware_LateRequest(t *testing.T) {
	var sent atomic.Int32
	late := make(chan error, 1)
	release := make(chan struct{})
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		respond(w, 200, ok(everything))
	}, whozex.WithMaxRetries(0), whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			go func() {
				<-release
				_, err := next.RoundTrip(r.WithContext(context.WithoutCancel(r.Context()))) //nolint:bodyclose // there is none
				late <- err
			}()
			return nil, errors.New("given up")
		})
	}))
	_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	require.ErrorContains(t, err, "given up")
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	close(release)
	require.ErrorContains(t, <-late, "after its attempt had ended")
	assert.Zero(t, sent.Load())
}

// TestWithMiddleware_ProofBeneath checks that with middleware a refused connection is
// still a definite error, and is retried.
func TestWithMiddleware_ProofBeneath(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	var attempts atomic.Int32
	client, err := whozex.New(testKey, whozex.WithBaseURL("http://"+address), whozex.WithBackoff(0, 0), whozex.WithMaxRetries(2),
		whozex.WithMiddleware(passThrough, func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				attempts.Add(1)
				return next.RoundTrip(r)
			})
		}))
	require.NoError(t, err)
	_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	require.ErrorContains(t, err, "refused")
	require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.EqualValues(t, 3, attempts.Load())
}

func TestBeforeSend(t *testing.T) {
	t.Run("cannot change the request", func(t *testing.T) {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			assert.JSONEq(t, `{"gb":50}`, string(body))
			respond(w, 200, ok(everything))
		})
		_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 50}, whozex.BeforeSend(func(record *whozex.OutcomeUnknownError) error {
			for i, c := range record.Request {
				if c >= '0' && c <= '9' {
					record.Request[i] = '9'
				}
			}
			return nil
		}))
		require.NoError(t, err)
	})
	for _, tt := range []struct {
		name  string
		grace time.Duration
		takes []time.Duration
		sent  int
		fresh time.Duration // age of the last record's SentAt when the request leaves, at most
	}{
		{name: "in time", grace: time.Minute, takes: []time.Duration{6 * time.Second}, sent: 1, fresh: 6 * time.Second},
		{name: "slow once", grace: time.Minute, takes: []time.Duration{7 * time.Second, time.Second}, sent: 1, fresh: time.Second},
		{name: "slow twice", grace: time.Minute, takes: []time.Duration{time.Hour, 7 * time.Second}, sent: 0},
		{name: "without a grace", grace: 0, takes: []time.Duration{time.Hour}, sent: 1, fresh: time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var record *whozex.OutcomeUnknownError
				sent, asked := 0, 0
				client := over(t, func(*http.Request) (*http.Response, error) {
					sent++
					assert.LessOrEqual(t, time.Since(record.SentAt), tt.fresh)
					return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(ok(everything)))}, nil
				}, whozex.WithGrace(tt.grace))
				_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1}, whozex.BeforeSend(func(r *whozex.OutcomeUnknownError) error {
					record = r
					time.Sleep(tt.takes[asked]) // of a virtual clock
					asked++
					return nil
				}))
				assert.Equal(t, len(tt.takes), asked)
				assert.Equal(t, tt.sent, sent)
				if tt.sent == 0 {
					require.ErrorContains(t, err, "BeforeSend")
					require.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
					return
				}
				require.NoError(t, err)
			})
		})
	}
}

func TestWithHTTPClient_ContextDropped(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"success":true,`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	pooled := &http.Transport{}
	t.Cleanup(pooled.CloseIdleConnections)
	detached := roundTrip(func(r *http.Request) (*http.Response, error) {
		return pooled.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	})
	client, err := whozex.New(testKey, whozex.WithBaseURL(server.URL), whozex.WithMaxRetries(0),
		whozex.WithTimeout(50*time.Millisecond), whozex.WithHTTPClient(&http.Client{Transport: detached}))
	require.NoError(t, err)
	_, err = client.GetAccount(t.Context())
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	assert.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
}
