package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/net/http2"

	"github.com/whozex/whozex-go"
)

// The server fails each request in the same way. net/http alone would retry forever.
func TestRetries_NoLoop(t *testing.T) {
	all, bodies := responses(t)
	for name, p := range map[string]plan{
		"PROTOCOL_ERROR after the commit":    {point: atBody, action: reset, code: http2.ErrCodeProtocol, commit: commitBefore},
		"PROTOCOL_ERROR at the headers":      {point: atHeaders, action: reset, code: http2.ErrCodeProtocol, commit: commitBefore},
		"REFUSED_STREAM":                     {point: atBody, action: reset, code: http2.ErrCodeRefusedStream},
		"ENHANCE_YOUR_CALM":                  {point: atBody, action: reset, code: http2.ErrCodeEnhanceYourCalm, commit: commitBefore},
		"GOAWAY below the stream":            {point: atBody, action: goAway, lastID: -1, commit: commitBefore},
		"GOAWAY at the stream":               {point: atBody, action: goAway, commit: commitBefore},
		"connection closed after the commit": {point: atBody, action: closeConn, commit: commitBefore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newWireServer(t, bodies, func(string) plan { return p }, func() bool { return false }, "h2", "http/1.1")
			transports := transports(t)
			// It ignores the context of the request, so nothing stops net/http.
			delete(transports, "custom RoundTripper, failover")
			var group sync.WaitGroup
			for transport, opts := range transports {
				group.Go(func() { callAll(t, server, transport, all, opts) })
			}
			group.Wait()
		})
	}
}

// callAll makes every call once on a server without successful responses.
func callAll(t *testing.T, server *wireServer, transport string, all []call, opts []whozex.Option) {
	client, err := whozex.New("wx_live_example", append([]whozex.Option{
		whozex.WithBaseURL(server.url()), whozex.WithBackoff(0, time.Millisecond),
		whozex.WithMaxRetries(1), whozex.WithTimeout(500 * time.Millisecond),
	}, opts...)...)
	if !assert.NoError(t, err) {
		return
	}
	defer client.CloseIdleConnections()
	for i, c := range all {
		key := fmt.Sprintf("wx_live_%x_%d", transport, i)
		assert.NoError(t, client.SetAPIKey(key))
		err := c.make(t.Context(), client)
		requests, _, commits := server.counts(key)
		if c.mutating {
			// The outcome is unknown even if the server has not read the request, unless
			// a busy machine could not connect in time.
			neverSent := requests == 0 && errors.Is(err, context.DeadlineExceeded)
			if !neverSent {
				assert.ErrorIs(t, err, whozex.ErrOutcomeUnknown, "%s, %s", transport, c.name)
			}
			assert.LessOrEqual(t, commits, 1, "%s, %s", transport, c.name)
			assert.LessOrEqual(t, requests, 1, "%s, %s", transport, c.name)
			continue
		}
		assert.Error(t, err, "%s, %s", transport, c.name)
		assert.LessOrEqual(t, requests, maxReadRequests, "%s, %s", transport, c.name)
	}
}
