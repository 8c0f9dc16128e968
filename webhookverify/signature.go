package webhookverify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
)

// SignatureHeader is the header that carries an event's signature.
const SignatureHeader = "X-Whozex-Signature"

const prefix = "sha256="

// digest is an HMAC-SHA256.
type digest [sha256.Size]byte

// Sign returns the value of [SignatureHeader] for body, for tests and for programs
// that send events. The secret's text is the key, verbatim.
func Sign(body []byte, secret string) string {
	sum := authenticate(body, secret)
	return prefix + hex.EncodeToString(sum[:])
}

// Verify checks signature, the value of [SignatureHeader], against a body as it
// arrived. It compares in constant time. The error is [ErrInvalidSecret],
// [ErrMissingSignature], [ErrMalformedSignature] or [ErrSignatureMismatch].
//
// It sets up an HMAC in each call. A [Verifier] reuses its HMACs and allocates
// nothing.
func Verify(body []byte, signature, secret string) error {
	if err := checkSecret(secret); err != nil {
		return err
	}
	claimed, err := parseSignature(signature)
	if err != nil {
		return err
	}
	if sum := authenticate(body, secret); !hmac.Equal(sum[:], claimed[:]) {
		return ErrSignatureMismatch
	}
	return nil
}

func authenticate(body []byte, secret string) (sum digest) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	mac.Sum(sum[:0])
	return sum
}

// parseSignature checks the length first, so that a long header costs nothing.
func parseSignature(signature string) (claimed digest, err error) {
	switch {
	case signature == "":
		return claimed, ErrMissingSignature
	case len(signature) != len(prefix)+2*len(claimed):
		return claimed, errLength
	case signature[:len(prefix)] != prefix:
		return claimed, errPrefix
	}
	digits := signature[len(prefix):]
	for i := range claimed {
		high, low := nibble(digits[2*i]), nibble(digits[2*i+1])
		if high|low > 0xf {
			return claimed, errHex
		}
		claimed[i] = high<<4 | low
	}
	return claimed, nil
}

// nibble returns the value of a lowercase hex digit, and 0xff for anything else.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// key is a secret of a webhook. Its HMAC states are pooled: crypto/hmac sets up
// the key once for each, and Reset keeps it.
type key struct {
	webhook string
	secret  string
	states  sync.Pool
}

// state is an HMAC and a buffer for its sum. A buffer on the stack would escape
// through the interface hash.Hash and be allocated in each call.
type state struct {
	hash.Hash
	sum digest
}

func newKey(webhook, secret string) *key {
	k := &key{webhook: webhook, secret: secret}
	k.states.New = func() any { return &state{Hash: hmac.New(sha256.New, []byte(secret))} }
	return k
}

func (k *key) signed(body []byte, claimed digest) bool {
	s := k.states.Get().(*state)
	s.Reset()
	s.Write(body)
	s.Sum(s.sum[:0])
	equal := hmac.Equal(s.sum[:], claimed[:])
	k.states.Put(s)
	return equal
}
