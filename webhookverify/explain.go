package webhookverify

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// explain returns [ErrBodyConsumed], or [ErrSignatureMismatch] with the reason, if
// one can be found, for the log: which bytes the signature fits, or what shows that
// these are not the bytes that were sent. The search costs more HMACs, so it is
// rationed, and a flood of forged requests costs no more than it would without.
func (v *Verifier) explain(body []byte, claimed digest, r *http.Request) error {
	if r != nil && consumed(body, r.ContentLength) {
		return ErrBodyConsumed
	}
	if !v.reasons.take() {
		return ErrSignatureMismatch
	}
	reason := v.fitting(body, claimed)
	if reason == "" {
		reason = changed(body, r)
	}
	if reason == "" {
		return ErrSignatureMismatch
	}
	return fmt.Errorf("%w: %s", ErrSignatureMismatch, reason)
}

// fitting tries what is known to happen to a body between sender and verifier.
func (v *Verifier) fitting(body []byte, claimed digest) string {
	try := func(other []byte) bool { return v.match(other, claimed) != nil }
	if other, ok := bytes.CutSuffix(body, []byte("\n")); ok {
		if try(other) || try(bytes.TrimSuffix(other, []byte("\r"))) {
			return "it fits the body without its last newline, which was added on the way"
		}
	} else if other := append(bytes.Clone(body), '\n'); try(other) {
		return "it fits the body with a newline at its end, which was taken off on the way"
	}
	if other, ok := bytes.CutPrefix(body, []byte("\ufeff")); ok && try(other) {
		return "it fits the body without its byte order mark, which was added on the way"
	}
	if other, ok := v.decompress(body); ok && try(other) {
		return "it fits the decompressed body, not the bytes that arrived: the body was compressed after it was signed"
	}
	// Gateways and queues carry bytes as text.
	if other, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(body)); err == nil && try(other) {
		return "it fits the body decoded from base64"
	}
	var text string
	if bytes.HasPrefix(body, []byte{'"'}) && json.Unmarshal(body, &text) == nil && try([]byte(text)) {
		return "it fits the text in the body, which is a JSON string"
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil && compact.Len() < len(body) && try(compact.Bytes()) {
		return "it fits the body without its whitespace: the JSON was written anew on the way"
	}
	return ""
}

// decompress returns the content of gzip or zlib, if it is no more than a body may
// have.
func (v *Verifier) decompress(body []byte) ([]byte, bool) {
	var source io.Reader
	var err error
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		source, err = gzip.NewReader(bytes.NewReader(body))
	case bytes.HasPrefix(body, []byte{0x78}):
		source, err = zlib.NewReader(bytes.NewReader(body))
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(source, v.maxBytes+1))
	return plain, err == nil && int64(len(plain)) <= v.maxBytes
}

// consumed reports whether a body lost its beginning: net/http reports one that the
// sender cut short, so that this one ended early for another reason. If it begins as
// an event does, middleware has replaced it, say by its decompressed form.
func consumed(body []byte, length int64) bool {
	short := int64(len(body)) < length || len(body) == 0 && length < 0
	return short && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{'{'})
}

// changed looks for traces of whoever had the body before.
func changed(body []byte, r *http.Request) string {
	if r != nil && r.ContentLength > 0 && r.ContentLength != int64(len(body)) {
		return fmt.Sprintf("the body has %d bytes where Content-Length says %d: it was decompressed or replaced before", len(body), r.ContentLength)
	}
	start := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(start) == 0:
		return "the body is empty"
	case start[0] == '{':
		return ""
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return "the body is gzip"
	}
	return "the body does not begin as an event does: its beginning may have been read before"
}

const (
	reasonsBurst = 8
	reasonsEvery = time.Second
)

// allowance lets through reasonsBurst at once, and one every reasonsEvery.
type allowance struct {
	mu   sync.Mutex
	full time.Time // when nothing of it is used up any more
}

func (a *allowance) take() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.full.Before(now) {
		a.full = now
	}
	if a.full.Sub(now) > (reasonsBurst-1)*reasonsEvery {
		return false
	}
	a.full = a.full.Add(reasonsEvery)
	return true
}
