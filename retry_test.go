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
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func cutShort(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	answer(w, 200, `{"success":true,"data":{"id":"left`)
}

var faults = []struct {
	name   string
	handle http.HandlerFunc
	repeat bool // sent again on a read
	again  bool // sent again on a spend
	vague  bool // leaves the outcome of a spend unknown
}{
	{"connection cut", func(w http.ResponseWriter, _ *http.Request) { hangUp(w) }, true, false, true},
	{"body cut", func(w http.ResponseWriter, _ *http.Request) { cutShort(w) }, true, false, true},
	{"no answer in time", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true, false, true},
	{"500", func(w http.ResponseWriter, _ *http.Request) { answer(w, 500, "") }, true, false, true},
	{"502 HTML", func(w http.ResponseWriter, _ *http.Request) { answer(w, 502, "<html>") }, true, false, true},
	{"503", func(w http.ResponseWriter, _ *http.Request) { answer(w, 503, "") }, true, false, true},
	{"504", func(w http.ResponseWriter, _ *http.Request) { answer(w, 504, "") }, true, false, true},
	{"501", func(w http.ResponseWriter, _ *http.Request) { answer(w, 501, "") }, false, false, true},
	{"500 with a documented code", func(w http.ResponseWriter, _ *http.Request) { answer(w, 500, refusal("INVALID_PARAMS", "")) }, true, false, false},
	{"429", func(w http.ResponseWriter, _ *http.Request) { answer(w, 429, "") }, true, true, false},
	{"400", func(w http.ResponseWriter, _ *http.Request) { answer(w, 400, "") }, false, false, false},
	{"409", func(w http.ResponseWriter, _ *http.Request) { answer(w, 409, "") }, false, false, false},
	{"refused under 200", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, refusal("NEW_CODE", "")) }, false, false, false},
	{"unreadable 200", func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, "<html>") }, false, false, true},
	{"redirect after success", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v1/account", http.StatusSeeOther) }, false, false, true},
	{"redirect that repeats", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/v1/users", http.StatusTemporaryRedirect)
	}, false, false, true},
}

func TestWhatIsSentAgain(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			for _, tt := range operations {
				t.Run(string(tt.op), func(t *testing.T) {
					t.Parallel()
					var seen atomic.Int32
					client := serve(t, func(w http.ResponseWriter, r *http.Request) {
						seen.Add(1)
						_, _ = io.Copy(io.Discard, r.Body)
						fault.handle(w, r)
					}, whozex.WithMaxRetries(2), whozex.WithTimeout(timeoutFor(fault.name)))
					_, err := tt.call(t.Context(), client)
					require.Error(t, err)
					assert.Equal(t, tt.spends && fault.vague, errors.Is(err, whozex.ErrOutcomeUnknown), err)
					want := int32(1)
					if tt.spends && fault.again || !tt.spends && fault.repeat {
						want = 3
					}
					assert.Equal(t, want, seen.Load(), err)
				})
			}
		})
	}
}

// timeoutFor keeps the one fault that needs the time-out short and the others
// safe from a slow machine.
func timeoutFor(fault string) time.Duration {
	if fault == "no answer in time" {
		return 30 * time.Millisecond
	}
	return 30 * time.Second
}

func TestAnUnknownOutcomeTellsWhatWasAsked(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) { cutShort(w) })
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

func TestARefusedConnectionIsDefiniteAndSentAgain(t *testing.T) {
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

func TestAnUntrustedCertificateIsDefiniteAndNotSentAgain(t *testing.T) {
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

func TestSpendsOverHTTP2(t *testing.T) {
	var seen atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		assert.Equal(t, 2, r.ProtoMajor)
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client, err := whozex.New(testKey, whozex.WithBaseURL(srv.URL), whozex.WithHTTPClient(srv.Client()))
	require.NoError(t, err)
	_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
	require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
	assert.EqualValues(t, 1, seen.Load())
}

// muteTransport answers without telling httptrace of any connection.
type muteTransport struct{ err error }

func (m muteTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, m.err }

func TestATransportThatReportsNoConnectionProvesNothing(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		unknown bool
	}{
		{"reset", errors.New("connection reset"), true},
		{"read failed", &net.OpError{Op: "read", Err: io.EOF}, true},
		{"dial failed", &net.OpError{Op: "dial", Err: errors.New("refused")}, false},
		{"no such host", &net.DNSError{Err: "no such host", IsNotFound: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, err := whozex.New(testKey, whozex.WithHTTPClient(&http.Client{Transport: muteTransport{tt.err}}), whozex.WithBackoff(0, 0))
			require.NoError(t, err)
			_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.unknown, errors.Is(err, whozex.ErrOutcomeUnknown))
		})
	}
}

func TestCancel(t *testing.T) {
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
			answer(w, 429, refusal("SLOW_DOWN", ""))
			time.AfterFunc(50*time.Millisecond, cancel)
		})
		_, err := client.AddGB(ctx, "p", whozex.AddGBParams{GB: 1})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, whozex.ErrRateLimited)
		assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
	})
}

func TestAWaitThatDoesNotFitTheDeadlineFailsAtOnce(t *testing.T) {
	for name, header := range map[string]string{
		"seconds":  "50",
		"date":     time.Now().Add(time.Hour).UTC().Format(http.TimeFormat),
		"overflow": strconv.FormatUint(1<<63-1, 10),
		"beyond":   strings.Repeat("9", 40),
	} {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				answer(w, 429, "")
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

func TestRedirectsAreNeverFollowed(t *testing.T) {
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
