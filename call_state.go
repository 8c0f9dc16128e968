package whozex

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/whozex/whozex-go/internal/wire"
)

// callState is one call: its request, its last attempt, and why there was no other.
// retryablehttp passes only a context to both the policy and the transport, so they
// find it there.
type callState struct {
	request
	options  attemptOptions
	observer *callObserver   // nil for none
	encoded  json.RawMessage // the body to send

	last    *attempt      // number 0 until there is one
	stopped error         // why no further attempt was made, though one was allowed
	onWire  time.Duration // of all attempts, see attempt.endedAt

	cached *cachedResponse // where the response comes from, nil if from the network

	first     attempt // these five are here to be allocated with the rest
	ctx       wire.Context
	url       url.URL
	plain     http.Request
	retryable retryablehttp.Request
}

func newCallState(req request) *callState {
	s := &callState{request: req}
	s.last = &s.first
	return s
}

// newAttempt makes the next attempt the last.
func (s *callState) newAttempt(key *wire.Key) *attempt {
	a := &s.first
	if s.first.Number > 0 {
		a = new(attempt)
	}
	a.Operation, a.Number, a.Mutating, a.Key, a.Payload = string(s.op), s.last.Number+1, s.mutating(), key, s.encoded
	a.sentAt = time.Now()
	s.last = a
	return a
}

func (s *callState) response() Response {
	return Response{
		StatusCode: s.last.status,
		Header:     s.last.header.Clone(),
		Meta:       metaOf(readEnvelope(s.last.body).meta),
		Body:       bytes.Clone(s.last.body),
		Attempts:   s.last.Number,
	}
}

// context returns ctx with the state.
func (s *callState) context(ctx context.Context) context.Context {
	s.ctx = wire.Context{Context: ctx, Key: callStateKey{}, Held: s}
	return &s.ctx
}

type callStateKey struct{}

func callStateOf(ctx context.Context) *callState {
	s, _ := ctx.Value(callStateKey{}).(*callState)
	return s
}
