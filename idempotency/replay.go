package idempotency

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/whozex/whozex-go"
)

// replayer decodes stored responses with a whozex.Client, so that the same key
// returns the same result as the original call, RawJSON included.
type replayer struct{ client *whozex.Client }

func newReplayer() *replayer {
	client, err := whozex.New("stored", whozex.WithHTTPClient(&http.Client{Transport: contextTransport{}}), whozex.WithMaxRetries(0))
	if err != nil {
		panic(err) // the options are constant
	}
	return &replayer{client}
}

type responseKey struct{}

// with returns a context in which the calls of the replayer's client receive
// response.
func (*replayer) with(ctx context.Context, response []byte) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), responseKey{}, response)
}

// contextTransport sends nothing. Its responses come from the request's context.
type contextTransport struct{}

func (contextTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	body, _ := r.Context().Value(responseKey{}).([]byte)
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
	}, nil
}

// envelope builds a response from what is known, for when the real one was lost.
func envelope(data any) []byte {
	body, err := json.Marshal(map[string]any{"success": true, "data": data, "meta": map[string]string{}})
	if err != nil {
		panic(err) // data consists of strings, numbers and times
	}
	return body
}
