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

// TestNoLoop makes calls to a server that breaks each one in the same way. net/http
// by itself goes on for as long as the server does.
func TestNoLoop(t *testing.T) {
	all, bodies := responses(t)
	for name, p := range map[string]plan{
		"PROTOCOL_ERROR after the commit": {point: atBody, act: reset, code: http2.ErrCodeProtocol, commit: before},
		"PROTOCOL_ERROR at the headers":   {point: atHeaders, act: reset, code: http2.ErrCodeProtocol, commit: before},
		"REFUSED_STREAM":                  {point: atBody, act: reset, code: http2.ErrCodeRefusedStream},
		"ENHANCE_YOUR_CALM":               {point: atBody, act: reset, code: http2.ErrCodeEnhanceYourCalm, commit: before},
		"GOAWAY below the stream":         {point: atBody, act: goAway, lastID: -1, commit: before},
		"GOAWAY at the stream":            {point: atBody, act: goAway, commit: before},
		"hang up after the commit":        {point: atBody, act: hangUp, commit: before},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newWireServer(t, bodies, func(string) plan { return p }, func() bool { return false }, "h2", "http/1.1")
			transports := makings(t)
			// It drops the context of a read, so nothing stops net/http beneath it.
			delete(transports, "foreign, fails over")
			var group sync.WaitGroup
			for transport, opts := range transports {
				group.Go(func() { callAll(t, server, transport, all, opts) })
			}
			group.Wait()
		})
	}
}

// callAll makes every call once to a server that responds to none.
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
		requests, _, commits := server.read(key)
		if c.mutating {
			// A request that the server never read can have left all the same. Or the
			// machine was too busy to connect in time.
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
