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

// explain returns [ErrBodyConsumed], or [ErrSignatureMismatch] with a probable cause
// for the log: a form of the body that the signature does match, or a sign that the
// body changed on the way. The search computes more HMACs, so it is rate-limited: a
// flood of forged requests must not cost more CPU because of it.
func (v *Verifier) explain(body []byte, claimed digest, r *http.Request) error {
	if r != nil && consumed(body, r.ContentLength) {
		return ErrBodyConsumed
	}
	if !v.reasons.allow() {
		return ErrSignatureMismatch
	}
	reason := v.matchingForm(body, claimed)
	if reason == "" {
		reason = bodyChange(body, r)
	}
	if reason == "" {
		return ErrSignatureMismatch
	}
	return fmt.Errorf("%w: %s", ErrSignatureMismatch, reason)
}

// matchingForm tries the changes that proxies, gateways and queues are known to make
// to a body.
func (v *Verifier) matchingForm(body []byte, claimed digest) string {
	try := func(other []byte) bool { return v.match(other, claimed) != nil }
	if other, ok := bytes.CutSuffix(body, []byte("\n")); ok {
		if try(other) || try(bytes.TrimSuffix(other, []byte("\r"))) {
			return "it matches the body without its last newline, which was added on the way"
		}
	} else if other := append(bytes.Clone(body), '\n'); try(other) {
		return "it matches the body with a newline at its end, which was removed on the way"
	}
	if other, ok := bytes.CutPrefix(body, []byte("\ufeff")); ok && try(other) {
		return "it matches the body without its byte order mark, which was added on the way"
	}
	if other, ok := v.decompress(body); ok && try(other) {
		return "it matches the decompressed body, not the bytes that arrived: the body was compressed after it was signed"
	}
	// Gateways and queues carry bytes as text.
	if other, err := base64.StdEncoding.AppendDecode(nil, bytes.TrimSpace(body)); err == nil && try(other) {
		return "it matches the body decoded from base64"
	}
	var text string
	if bytes.HasPrefix(body, []byte{'"'}) && json.Unmarshal(body, &text) == nil && try([]byte(text)) {
		return "it matches the text in the body, which is a JSON string"
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) == nil && compact.Len() < len(body) && try(compact.Bytes()) {
		return "it matches the body without its whitespace: the JSON was re-encoded on the way"
	}
	return ""
}

// decompress returns the content of gzip or zlib data, if it does not exceed the
// limit of a body.
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
	decompressed, err := io.ReadAll(io.LimitReader(source, v.maxBytes+1))
	return decompressed, err == nil && int64(len(decompressed)) <= v.maxBytes
}

// consumed reports whether the beginning of the body was read before. A body that the
// sender cut short never gets here, since net/http returns an error for it. A short
// body that begins as an event does was replaced by middleware, for example by its
// decompressed content.
func consumed(body []byte, length int64) bool {
	short := int64(len(body)) < length || len(body) == 0 && length < 0
	return short && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte{'{'})
}

// bodyChange looks for signs that the body is not the one that was sent.
func bodyChange(body []byte, r *http.Request) string {
	if r != nil && r.ContentLength > 0 && r.ContentLength != int64(len(body)) {
		return fmt.Sprintf("the body has %d bytes where Content-Length says %d: it was decompressed or replaced on the way", len(body), r.ContentLength)
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
	return "the body does not begin as an event does: its beginning may have been read already"
}

const (
	reasonsBurst    = 8
	reasonsInterval = time.Second
)

// reasonLimiter allows a burst of reasonsBurst, then one every reasonsInterval.
type reasonLimiter struct {
	mu   sync.Mutex
	full time.Time // when the whole burst is available again
}

func (a *reasonLimiter) allow() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.full.Before(now) {
		a.full = now
	}
	if a.full.Sub(now) > (reasonsBurst-1)*reasonsInterval {
		return false
	}
	a.full = a.full.Add(reasonsInterval)
	return true
}
