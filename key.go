package whozex

import "sync/atomic"

// apiKey is a key as it goes out. It is never changed once made, so that a
// call in flight has either the old key or the new one.
type apiKey struct {
	value  string
	header []string
}

// keyring holds the current key behind a pointer, where no verb of fmt finds it.
type keyring struct {
	name    string // of the header, in canonical form
	prefix  string
	current atomic.Pointer[apiKey]
}

func newKeyring(key string, ownHeader bool) (*keyring, error) {
	ring := &keyring{name: "Authorization", prefix: "Bearer "}
	if ownHeader {
		ring.name, ring.prefix = "X-Api-Key", ""
	}
	return ring, ring.set(key)
}

func (r *keyring) set(key string) error {
	made, err := r.make(key)
	if err != nil {
		return err
	}
	r.current.Store(made)
	return nil
}

// replace sets key unless the key used was replaced already.
func (r *keyring) replace(used *apiKey, key string) error {
	made, err := r.make(key)
	if err != nil {
		return err
	}
	r.current.CompareAndSwap(used, made)
	return nil
}

func (r *keyring) make(key string) (*apiKey, error) {
	if key == "" {
		return nil, &ParamError{Field: "API key", Reason: "is required", class: ErrMissingAPIKey}
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return nil, invalid("API key", "holds a blank or a character that no header can carry, at byte %d", i)
		}
	}
	return &apiKey{value: key, header: []string{r.prefix + key}}, nil
}
