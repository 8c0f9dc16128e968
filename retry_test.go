package whozex_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
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

// hangUp ends the connection without a response.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// switchProtocols responds with 101 and keeps the connection open.
func switchProtocols(w http.ResponseWriter) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "other")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}

func truncateResponse(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	respond(w, 200, `{"success":true,"data":{"id":"left`)
}

var faults = []struct {
	name    string
	handle  http.HandlerFunc
	read    bool // retried for a read
	write   bool // retried for a mutating call
	unknown bool // leaves the outcome of a mutating call unknown
}{
	{name: "connection cut", handle: func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, read: true, unknown: true},
	{name: "body cut", handle: func(w http.ResponseWriter, _ *http.Request) { truncateResponse(w) }, read: true, unknown: true},
	{name: "no response in time", handle: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, read: true, unknown: true},
	{name: "500", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 500, "") }, read: true, unknown: true},
	{name: "502 HTML", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 502, "<html>") }, read: true, unknown: true},
	{name: "503", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 503, "") }, read: true, unknown: true},
	{name: "504", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 504, "") }, read: true, unknown: true},
	{name: "501", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 501, "") }, unknown: true},
	{name: "500 with a documented code", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 500, refusal("INVALID_PARAMS", "")) }, read: true},
	{name: "429", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 429, "") }, read: true, write: true},
	{name: "400", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 400, "") }},
	{name: "409", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 409, "") }},
	{name: "refused under 200", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, refusal("NEW_CODE", "")) }},
	{name: "unreadable 200", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 200, "<html>") }, unknown: true},
	{name: "redirect after success", handle: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v1/account", http.StatusSeeOther) }, unknown: true},
	{name: "redirect that repeats", handle: func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/v1/users", http.StatusTemporaryRedirect)
	}, unknown: true},
	{name: "408", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 408, "") }, unknown: true},
	{name: "499", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 499, "") }, unknown: true},
	{name: "460", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 460, "") }, unknown: true},
	{name: "463", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 463, "") }, unknown: true},
	{name: "425", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 425, "") }},
	{name: "408 with a documented code", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 408, refusal("INVALID_PARAMS", "")) }},
	{name: "429 that claims success", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 429, `{"success":true}`) }, read: true, unknown: true},
	{name: "400 with another word for success", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 400, `{"success":"yes"}`) }, unknown: true},
	{name: "200 with a documented code beside data", handle: func(w http.ResponseWriter, _ *http.Request) {
		respond(w, 200, `{"code":"INVALID_PARAMS","data":{"id":"PKG-1"}}`)
	}, unknown: true},
	{name: "400 that claims success", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 400, `{"success":true,"data":{}}`) }, unknown: true},
	{name: "409 with data alone", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 409, `{"data":{"id":"1"}}`) }, unknown: true},
	{name: "409 with data and an error", handle: func(w http.ResponseWriter, _ *http.Request) { respond(w, 409, `{"data":{},"error":{"code":"X"}}`) }},
	{name: "500 with a documented code and success", handle: func(w http.ResponseWriter, _ *http.Request) {
		respond(w, 500, `{"success":true,"error":{"code":"INVALID_PARAMS"}}`)
	}, read: true, unknown: true},
	{name: "429 cut short", handle: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		respond(w, 429, `{"success":tr`)
	}, read: true, unknown: true},
	{name: "101", handle: func(w http.ResponseWriter, _ *http.Request) { switchProtocols(w) }, unknown: true},
}

func TestRetry_EveryFault(t *testing.T) {
	t.Parallel()
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			server := serve
			try := func(t *testing.T) {
				// All at once: they mostly wait for pauses and timeouts.
				var group sync.WaitGroup
				for _, tt := range operations {
					var seen atomic.Int32
					client := server(t, func(w http.ResponseWriter, r *http.Request) {
						seen.Add(1)
						_, _ = io.Copy(io.Discard, r.Body)
						fault.handle(w, r)
					}, whozex.WithMaxRetries(2))
					group.Go(func() {
						_, err := tt.call(t.Context(), client)
						assert.Error(t, err, tt.op)
						assert.Equal(t, tt.mutating && fault.unknown, errors.Is(err, whozex.ErrOutcomeUnknown), "%s: %v", tt.op, err)
						want := int32(1)
						if tt.mutating && fault.write || !tt.mutating && fault.read {
							want = 3
						}
						assert.Equal(t, want, seen.Load(), "%s: %v", tt.op, err)
					})
				}
				group.Wait()
			}
			if fault.name == "no response in time" {
				server = servePipes
				synctest.Test(t, try)
				return
			}
			try(t)
		})
	}
}

// pipes is a listener without a network, so that HTTP works by a virtual clock.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error { close(p); return nil }

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p <- server
	return client, nil
}

// servePipes is serve in a bubble of synctest.
func servePipes(t *testing.T, handler http.HandlerFunc, opts ...whozex.Option) *whozex.Client {
	t.Helper()
	listener, server := make(pipes), &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	client, err := whozex.New(testKey, append(opts, whozex.WithBaseURL("http://127.0.0.1/v1"),
		whozex.WithHTTPClient(&http.Client{Transport: &http.Transport{DialContext: listener.dial}}))...)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestOutcomeUnknownError_Record(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { truncateResponse(w) })
	_, err := client.AddBalance(t.Context(), "u/1", dec("5.00"), "n")
	var unknown *whozex.OutcomeUnknownError
	require.ErrorAs(t, err, &unknown)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, whozex.OpAddBalance, unknown.Operation)
	assert.Equal(t, "u/1", unknown.ID)
	assert.Equal(t, "/users/u%2F1/balance", unknown.Path)
	assert.Equal(t, `{"action":"add","amount":5.00,"note":"n"}`, string(unknown.Request))
	assert.True(t, strings.HasSuffix(string(unknown.Body), `"left`))
	assert.Equal(t, 1, unknown.Attempts)
	assert.WithinDuration(t, time.Now(), unknown.SentAt, time.Minute)
}

func TestRetry_ConnectionRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	client, err := whozex.New(testKey, whozex.WithBaseURL("http://"+address), whozex.WithBackoff(0, 0))
	require.NoError(t, err)
	_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	require.Error(t, err)
	assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Contains(t, err.Error(), "4 attempts")
}

func TestRetry_UntrustedCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client, err := whozex.New(testKey, whozex.WithBaseURL(srv.URL))
	require.NoError(t, err)
	var resp whozex.Response
	_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1}, whozex.CaptureResponse(&resp))
	require.Error(t, err)
	assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.Equal(t, 1, resp.Attempts)
}

// TestRetry_HTTP2 sends a call with each kind of transport to an HTTP/2 server that
// handles it and resets the stream; net/http would retry it by itself.
func TestRetry_HTTP2(t *testing.T) {
	for _, tt := range []struct {
		name  string
		give  func(*http.Client) []whozex.Option
		major int32 // of the protocol of a mutating call
	}{
		{name: "the caller's transport", major: 1, give: func(c *http.Client) []whozex.Option {
			return []whozex.Option{whozex.WithHTTPClient(c)}
		}},
		{name: "behind middleware", major: 1, give: func(c *http.Client) []whozex.Option {
			return []whozex.Option{whozex.WithHTTPClient(c), whozex.WithMiddleware(passThrough)}
		}},
		{name: "HTTP/2 alone", major: 2, give: func(c *http.Client) []whozex.Option {
			only := c.Transport.(*http.Transport).Clone()
			only.Protocols = new(http.Protocols)
			only.Protocols.SetHTTP2(true)
			return []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: only})}
		}},
		{name: "a foreign RoundTripper", major: 2, give: func(c *http.Client) []whozex.Option {
			return []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: passThrough(c.Transport)})}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen, major atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				major.Store(int32(r.ProtoMajor))
				_, _ = io.Copy(io.Discard, r.Body)
				panic(http.ErrAbortHandler)
			}))
			srv.EnableHTTP2 = true
			srv.Config.ErrorLog = quiet
			srv.StartTLS()
			t.Cleanup(srv.Close)
			client, err := whozex.New(testKey, append(tt.give(srv.Client()), whozex.WithBaseURL(srv.URL))...)
			require.NoError(t, err)
			t.Cleanup(client.CloseIdleConnections)
			_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
			_, err = client.RegenerateKey(t.Context())
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
			assert.EqualValues(t, 2, seen.Load())
			assert.Equal(t, tt.major, major.Load())
		})
	}
}

// TestRetry_IdempotencyHeader checks that idempotency headers are removed: net/http
// retries a request that has one if a reused connection breaks.
func TestRetry_IdempotencyHeader(t *testing.T) {
	for _, name := range []string{"Idempotency-Key", "idempotency-key", "X-Idempotency-Key"} {
		t.Run(name, func(t *testing.T) {
			var handled atomic.Int32
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				assert.Empty(t, r.Header.Values(name))
				if handled.Add(1) > 1 {
					hangUp(w)
					return
				}
				respond(w, 200, ok(everything))
			}, whozex.WithMiddleware(func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					r.Header[name] = []string{"k"}
					return next.RoundTrip(r)
				})
			}))
			_, err := client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.NoError(t, err)
			_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
			assert.EqualValues(t, 2, handled.Load())
		})
	}
}

// TestRetry_ForeignTransport checks that a dial error of a foreign transport proves
// nothing: it may have sent the request elsewhere before.
func TestRetry_ForeignTransport(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
	}{
		{name: "reset", err: errors.New("connection reset")},
		{name: "read failed", err: &net.OpError{Op: "read", Err: io.EOF}},
		{name: "dial failed", err: &net.OpError{Op: "dial", Err: errors.New("refused")}},
		{name: "no such host", err: &net.DNSError{Err: "no such host", IsNotFound: true}},
		{name: "circuit open", err: errors.New("circuit breaker is open")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			foreign := roundTrip(func(*http.Request) (*http.Response, error) { return nil, tt.err })
			client, err := whozex.New(testKey, whozex.WithHTTPClient(&http.Client{Transport: foreign}), whozex.WithBackoff(0, 0))
			require.NoError(t, err)
			_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.ErrorIs(t, err, tt.err)
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
		})
	}
}

func TestRetry_IncompleteRoundTripper(t *testing.T) {
	for _, tt := range []struct {
		name string
		resp *http.Response
	}{
		{name: "no response and no error"},
		{name: "no body", resp: &http.Response{StatusCode: 200}},
		{name: "no status", resp: &http.Response{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			foreign := roundTrip(func(*http.Request) (*http.Response, error) { return tt.resp, nil })
			client, err := whozex.New(testKey, whozex.WithHTTPClient(&http.Client{Transport: foreign}), whozex.WithBackoff(0, 0))
			require.NoError(t, err)
			_, err = client.GetAccount(t.Context())
			require.Error(t, err)
			_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
		})
	}
}

func TestRetry_Cancel(t *testing.T) {
	t.Run("before sending is definite", func(t *testing.T) {
		client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := client.AddGB(ctx, "p", whozex.AddGBParams{GB: 1})
		require.ErrorIs(t, err, context.Canceled)
		assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	})
	t.Run("after sending is unknown", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		})
		_, err := client.AddGB(ctx, "p", whozex.AddGBParams{GB: 1})
		require.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
	})
	t.Run("while waiting keeps the answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "60")
			respond(w, 429, refusal("SLOW_DOWN", ""))
			time.AfterFunc(50*time.Millisecond, cancel)
		})
		_, err := client.AddGB(ctx, "p", whozex.AddGBParams{GB: 1})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, whozex.ErrRateLimited)
		assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	})
}

func TestRetry_LimiterBeyondDeadline(t *testing.T) {
	for name, header := range map[string]string{
		"seconds":  "50",
		"date":     time.Now().Add(time.Hour).UTC().Format(http.TimeFormat),
		"overflow": strconv.FormatUint(1<<63-1, 10),
		"beyond":   strings.Repeat("9", 40),
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				respond(w, 429, "")
			})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := client.AddGB(ctx, "p", whozex.AddGBParams{GB: 1})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, whozex.ErrRateLimited)
			assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
			require.NoError(t, ctx.Err(), "it did not wait")
			var apiErr *whozex.Error
			require.ErrorAs(t, err, &apiErr)
			assert.Greater(t, apiErr.RetryAfter, 40*time.Second)

			_, err = client.GetAccount(ctx)
			require.ErrorIs(t, err, whozex.ErrRateLimited, "every call pauses")
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

func TestRetry_Redirect(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the redirect was followed, with %v", r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for name, opts := range map[string][]whozex.Option{"bearer": nil, "own header": {whozex.WithAPIKeyHeader()}} {
			t.Run(strconv.Itoa(status)+" "+name, func(t *testing.T) {
				client := serve(t, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, elsewhere.URL, status)
				}, opts...)
				_, err := client.GetAccount(t.Context())
				var apiErr *whozex.Error
				require.ErrorAs(t, err, &apiErr)
				assert.Equal(t, status, apiErr.StatusCode)
				_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
				require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
			})
		}
	}
}

func TestRetry_RetryAfterBeyondDeadline(t *testing.T) {
	for _, test := range []struct {
		name     string
		status   int
		sentinel error
	}{
		{name: "a read that failed", status: 503, sentinel: whozex.ErrServer},
		{name: "rate limited", status: 429, sentinel: whozex.ErrRateLimited},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests int
				client := over(t, func(req *http.Request) (*http.Response, error) {
					requests++
					return reply(req, test.status, "", "Retry-After", "3"), nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				began := time.Now()
				_, err := client.GetAccount(ctx)
				assert.ErrorIs(t, err, test.sentinel)
				assert.ErrorContains(t, err, "not retried")
				assert.Zero(t, time.Since(began))
				assert.Equal(t, 1, requests)
			})
		})
	}
}

func TestRetry_CancelBetweenAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := over(t, func(req *http.Request) (*http.Response, error) {
			return reply(req, 503, "", "Retry-After", "3"), nil
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("shutting down")) })
		_, err := client.GetAccount(ctx)
		assert.ErrorIs(t, err, whozex.ErrServer)
		assert.ErrorContains(t, err, "not retried: shutting down")
	})
}
