package idempotency

import "strings"

const maxKey = 64

const keyCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"

func checkKey(key string) error {
	switch {
	case key == "":
		return keyError(ErrInvalidKey, `""`, "it is empty")
	case len(key) > maxKey:
		return keyError(ErrInvalidKey, key[:maxKey]+"…", "it is longer than 64 characters")
	case strings.Trim(key, keyCharacters) != "":
		return keyError(ErrInvalidKey, "", "it holds others than letters, digits and -_.:")
	}
	return nil
}

// noteOf puts the key into a note. The words around it keep the note of one key
// from being part of another's, order-1 of order-10, which would leave both
// undecided.
func noteOf(note, key string) string {
	own := "key " + key + " once"
	if note == "" {
		return own
	}
	return note + " " + own
}
