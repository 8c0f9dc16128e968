package idempotency

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// minNonce is the shortest nonce, in bytes, that can safely be random for each row.
const minNonce = 12

// sealedMark is the first byte of encrypted values. Others are JSON and begin
// with {.
const sealedMark = 0x01

var errSealed = errors.New("the row is sealed, and the store was opened without its key")

// seal encrypts a value and binds it to its column and key: copied to another row,
// it cannot be decrypted.
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
		return nil, errors.New("the sealed value is truncated")
	}
	nonce, sealed := sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():]
	plain, err := s.aead.Open(nil, nonce, sealed, []byte(column+"\x00"+key))
	if err != nil {
		return nil, fmt.Errorf("unseal the %s: %w", column, err)
	}
	return plain, nil
}
