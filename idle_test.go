package whozex_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// TestIdleConnections_MutatingCalls checks that the client closes idle connections before
// the server does: otherwise a mutating call at that moment has an unknown outcome.
func TestIdleConnections_MutatingCalls(t *testing.T) {
	t.Parallel()
	open := make(chan int, 100)
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		respond(w, 200, ok(everything))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open <- int(conns.Add(1))
		case http.StateClosed:
			open <- int(conns.Add(-1))
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	for _, own := range []bool{true, false} {
		opts := []whozex.Option{whozex.WithBaseURL(server.URL)}
		if !own {
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			opts = append(opts, whozex.WithHTTPClient(&http.Client{Transport: transport}))
		}
		client, err := whozex.New(testKey, opts...)
		require.NoError(t, err)
		_, err = client.AddGB(t.Context(), "p", whozex.AddGBParams{GB: 1})
		require.NoError(t, err)
		require.Equal(t, 1, <-open)
		require.Equal(t, 0, <-open)
	}
}

// BenchmarkMutatingCallAfterAPause makes POSTs just when the server closes idle
// connections, and reports how many of them fail or have an unknown outcome.
func BenchmarkMutatingCallAfterAPause(b *testing.B) {
	const lanes = 200
	for _, idle := range []time.Duration{time.Second, 5 * time.Second} {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			respond(w, 200, ok(everything))
		}))
		server.Config.IdleTimeout = idle
		server.Start()
		b.Cleanup(server.Close)
		run := func(name string, post func() error) {
			b.Run(name+"/idle="+idle.String(), func(b *testing.B) {
				var lost, all atomic.Int64
				for b.Loop() {
					var group sync.WaitGroup
					for lane := range lanes {
						group.Go(func() {
							for range 3 {
								all.Add(1)
								if post() != nil {
									lost.Add(1)
								}
								time.Sleep(idle + time.Duration(lane-lanes/2)*20*time.Microsecond) // a benchmark of calls around the server's idle timeout
							}
						})
					}
					group.Wait()
				}
				b.ReportMetric(float64(lost.Load())/float64(all.Load()), "lost/call")
			})
		}
		client, err := whozex.New(testKey, whozex.WithBaseURL(server.URL))
		require.NoError(b, err)
		run("whozex", func() error {
			_, err := client.AddGB(b.Context(), "p", whozex.AddGBParams{GB: 1})
			if err != nil && !errors.Is(err, whozex.ErrOutcomeUnknown) {
				b.Error(err)
			}
			return err
		})
		pooled := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: lanes}}
		run("net/http", func() error {
			resp, err := pooled.Post(server.URL, "application/json", strings.NewReader("{}"))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return errors.Join(err, resp.Body.Close())
		})
	}
}
