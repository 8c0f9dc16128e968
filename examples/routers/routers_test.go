// Package routers tests a webhook verifier with common routers.
package routers

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

const secret = "wxsec_example"

func sign(body string) string { return webhookverify.Sign([]byte(body), secret) }

func gzipped(t *testing.T, body io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.Copy(w, body)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// zeros is an endless stream of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestVerifier_Routers(t *testing.T) {
	const size = 64 << 20
	created := `{"event":"package.created","data":{"package_id":"PKG-A1B2C3","gb":20,"cost":30.00},"timestamp":"2025-01-01T12:00:00.000Z"}`
	failing := `{"event":"balance.added","data":{}}`
	compressed := gzipped(t, strings.NewReader(created))
	bomb := gzipped(t, io.LimitReader(zeros{}, 400<<20))
	t.Logf("the gzip bomb has %d bytes", len(bomb))
	text := func(body string) func() io.Reader {
		return func() io.Reader { return strings.NewReader(body) }
	}
	flood := func() io.Reader { return io.LimitReader(zeros{}, size) }
	for _, tt := range []struct {
		name      string
		path      string
		body      func() io.Reader
		length    int64 // -1 is chunked
		encoding  string
		signature string
		want      []int // 0 means that the server closed the connection while the body was sent
		handled   bool
	}{
		{name: "valid", body: text(created), signature: sign(created), want: []int{200}, handled: true},
		{name: "chunked", body: text(created), length: -1, signature: sign(created), want: []int{200}, handled: true},
		{name: "forged", body: text(created), signature: webhookverify.Sign([]byte(created), "other"), want: []int{401}},
		{name: "unsigned", body: text(created), want: []int{401}},
		{name: "changed", body: text(created + " "), signature: sign(created), want: []int{401}},
		{name: "handler fails", body: text(failing), signature: sign(failing), want: []int{500}, handled: true},
		{name: "gzip", body: text(compressed), encoding: "gzip", signature: sign(compressed), want: []int{200}, handled: true},
		{name: "gzip, chunked", body: text(compressed), length: -1, encoding: "gzip", signature: sign(compressed), want: []int{200}, handled: true},
		{name: "signature of the uncompressed body", body: text(compressed), encoding: "gzip", signature: sign(created), want: []int{401}},
		{name: "Content-Encoding without gzip", body: text(created), encoding: "gzip", signature: sign(created), want: []int{200}, handled: true},
		{name: "unsigned gzip bomb", body: text(bomb), encoding: "gzip", want: []int{401, 0}},
		{name: "forged gzip bomb", body: text(bomb), encoding: "gzip", signature: sign("other"), want: []int{401}},
		{name: "64 MiB unsigned", body: flood, length: size, want: []int{401, 413, 0}},
		{name: "64 MiB unsigned, chunked", body: flood, length: -1, want: []int{401, 413, 0}},
		{name: "64 MiB forged", body: flood, length: size, signature: sign("other"), want: []int{413, 0}},
		{name: "64 MiB forged, chunked", body: flood, length: -1, signature: sign("other"), want: []int{413, 0}},
		{name: "body already read", path: "/consumed", body: text(created), signature: sign(created), want: []int{500}},
	} {
		for _, router := range routers {
			t.Run(tt.name+"/"+router.name, func(t *testing.T) {
				if router.keepsBody && tt.path != "" {
					tt.want, tt.handled = []int{200}, true
				}
				var handled []string
				verifier, err := webhookverify.New(secret)
				require.NoError(t, err)
				url := serve(t, router.mount(verifier, func(_ context.Context, event *webhookverify.Event) error {
					handled = append(handled, event.Name)
					if event.Name == whozex.EventBalanceAdded {
						return errors.New("no")
					}
					return nil
				}))
				req, err := http.NewRequest("POST", url+"/webhooks", tt.body())
				require.NoError(t, err)
				if tt.path != "" {
					req.URL.Path = tt.path
				}
				if tt.length != 0 {
					req.ContentLength = tt.length
				}
				req.Header.Set("Content-Type", "application/json")
				if tt.encoding != "" {
					req.Header.Set("Content-Encoding", tt.encoding)
				}
				if tt.signature != "" {
					req.Header.Set(webhookverify.SignatureHeader, tt.signature)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				status := send(t, req)
				duration := time.Since(start)
				runtime.ReadMemStats(&after)
				assert.Contains(t, tt.want, status)
				assert.Equal(t, tt.handled, len(handled) == 1, handled)
				allocated := after.TotalAlloc - before.TotalAlloc
				assert.Less(t, allocated, uint64(32<<20), "bytes allocated")
				if len(handled) == 0 {
					t.Logf("%d in %s, %d KiB", status, duration.Round(time.Millisecond), allocated>>10)
				}
			})
		}
	}
}

// serve serves a router on loopback until the test ends.
func serve(t *testing.T, s server) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		assert.NoError(t, s.(io.Closer).Close())
		if err := <-served; !slices.Contains([]error{nil, http.ErrServerClosed}, err) {
			t.Error(err)
		}
	})
	return "http://" + listener.Addr().String()
}

// send returns the status, or 0 if the server closed the connection before its response
// was read.
func send(t *testing.T, req *http.Request) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		return 0
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}
