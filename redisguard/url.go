package redisguard

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/redis/go-redis/v9"
)

// ErrURL means that a URL of Redis is none. Its text has nothing of the URL, any
// part of which may be the password.
var ErrURL = errors.New("redisguard: invalid URL of Redis")

// ParseURL is redis.ParseURL with two differences: its error is [ErrURL], where
// that of go-redis prints the password; and a Redis that is gone is noticed at
// once, as it dials once, and retries once unless the URL has max_retries.
func ParseURL(address string) (*redis.Options, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrURL, flaw(address))
	}
	options.DialerRetries = 1
	if options.MaxRetries == 0 {
		options.MaxRetries = 1
	}
	return options, nil
}

func flaw(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.User == nil && (u.RawQuery != "" || u.Fragment != ""), u.Fragment != "":
		return "special characters of a password must be escaped, / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, % as %25"
	case u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix":
		return "it must begin with redis://, rediss:// or unix://"
	}
	return "the database is no number, or a parameter is unknown"
}
