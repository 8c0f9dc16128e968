package webhookverify

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
)

// SignatureHeader is the header that carries an event's signature.
const SignatureHeader = "X-Whozex-Signature"

const prefix = "sha256="

// digest is an HMAC-SHA256.
type digest [sha256.Size]byte

// Sign returns the signature of body, as the header carries it: for tests, and
// for whoever sends events. The secret's text is the key as it stands.
func Sign(body []byte, secret string) string {
	sum := authenticate(body, secret)
	return prefix + hex.EncodeToString(sum[:])
}

// Verify checks the signature, the value of [SignatureHeader], of a body as it
// came. It allocates nothing, and takes the same time wherever two signatures
// begin to differ. The error is [ErrInvalidSecret], [ErrMissingSignature],
// [ErrMalformedSignature] or [ErrSignatureMismatch].
func Verify(body []byte, signature, secret string) error {
	if err := checkSecret(secret); err != nil {
		return err
	}
	claimed, err := parseSignature(signature)
	if err != nil {
		return err
	}
	return match(body, claimed, secret)
}

func checkSecret(secret string) error {
	if secret == "" || strings.TrimSpace(secret) != secret {
		return ErrInvalidSecret
	}
	return nil
}

// parseSignature looks at the length first: nothing of a header that cannot be a
// signature is read.
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

// nibble is the value of a lowercase hex digit, above 15 for anything else.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func match(body []byte, claimed digest, secret string) error {
	sum := authenticate(body, secret)
	if subtle.ConstantTimeCompare(sum[:], claimed[:]) != 1 {
		return ErrSignatureMismatch
	}
	return nil
}

// hasher is what an HMAC needs. crypto/hmac allocates it anew for each key.
type hasher struct {
	sha hash.Hash
	pad [sha256.BlockSize]byte
	sum digest
}

var hashers = sync.Pool{New: func() any { return &hasher{sha: sha256.New()} }}

// authenticate returns the HMAC-SHA256 of body, by RFC 2104.
func authenticate(body []byte, secret string) digest {
	h := hashers.Get().(*hasher)
	h.key(secret)
	h.flip(0x36)
	h.sha.Reset()
	h.sha.Write(h.pad[:])
	h.sha.Write(body)
	h.sha.Sum(h.sum[:0])
	h.flip(0x36 ^ 0x5c)
	h.sha.Reset()
	h.sha.Write(h.pad[:])
	h.sha.Write(h.sum[:])
	h.sha.Sum(h.sum[:0])
	sum := h.sum
	h.wipe()
	hashers.Put(h)
	return sum
}

// key puts the secret into the pad, hashed if it is longer.
func (h *hasher) key(secret string) {
	if len(secret) <= len(h.pad) {
		copy(h.pad[:], secret)
		return
	}
	h.sha.Reset()
	for len(secret) > 0 {
		n := copy(h.pad[:], secret)
		h.sha.Write(h.pad[:n])
		secret = secret[n:]
	}
	clear(h.pad[:])
	h.sha.Sum(h.pad[:0])
}

func (h *hasher) flip(with byte) {
	for i := range h.pad {
		h.pad[i] ^= with
	}
}

// wipe leaves nothing in the pool that the next user could tell the key by.
func (h *hasher) wipe() {
	h.sha.Reset()
	clear(h.pad[:])
	clear(h.sum[:])
}
