package idempotency

import "strings"

const maxKey = 64

const keyCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"

func checkKey(key string) error {
	switch {
	case key == "":
		return keyError(ErrInvalidKey, `""`, "empty")
	case len(key) > maxKey:
		return keyError(ErrInvalidKey, key[:maxKey]+"…", "longer than 64 characters")
	case strings.Trim(key, keyCharacters) != "":
		return keyError(ErrInvalidKey, "", "characters other than letters, digits and -_.:")
	}
	return nil
}

// noteWithKey adds the key to a note. The words around the key keep one note from
// containing another: without them Reconcile would find the note of order-1 in that
// of order-10, and could decide neither.
func noteWithKey(note, key string) string {
	keyNote := "key " + key + " once"
	if note == "" {
		return keyNote
	}
	return note + " " + keyNote
}
