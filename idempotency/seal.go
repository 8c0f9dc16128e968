package idempotency

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// minNonce is the shortest nonce that may be drawn at random for every row.
const minNonce = 12

// What is stored begins with {, as JSON does, or with this.
const sealedMark = 0x01

var errSealed = errors.New("the row is sealed, and the store was opened without its key")

// seal encrypts data for one column of one key: moved to another row it does not
// open.
func (s *Store) seal(column, key string, data []byte) []byte {
	if s.aead == nil || data == nil {
		return data
	}
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(data)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return append([]byte{sealedMark}, s.aead.Seal(nonce, nonce, data, []byte(column+"\x00"+key))...)
}

func (s *Store) unseal(column, key string, data []byte) ([]byte, error) {
	if len(data) == 0 || data[0] != sealedMark {
		return data, nil
	}
	if s.aead == nil {
		return nil, errSealed
	}
	sealed := data[1:]
	if len(sealed) < s.aead.NonceSize() {
		return nil, errors.New("the row is cut short")
	}
	nonce, sealed := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, []byte(column+"\x00"+key))
	if err != nil {
		return nil, fmt.Errorf("unseal the %s: %w", column, err)
	}
	return plain, nil
}
