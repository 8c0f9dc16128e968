package redisguard

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/redis/go-redis/v9"
)

// ErrURL means that a Redis URL is invalid. Its text contains no part of the URL,
// since any part may be the password.
var ErrURL = errors.New("redisguard: invalid Redis URL")

// ParseURL is redis.ParseURL with two differences. Its error is [ErrURL], while
// the error of go-redis may contain the password. And it notices at once that Redis
// is down: the client dials once, and retries once unless the URL has max_retries.
func ParseURL(address string) (*redis.Options, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrURL, explainURL(address))
	}
	options.DialerRetries = 1
	if options.MaxRetries == 0 {
		options.MaxRetries = 1
	}
	return options, nil
}

func explainURL(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.User == nil && (u.RawQuery != "" || u.Fragment != ""), u.Fragment != "":
		return "special characters in the password must be escaped: / as %2F, ? as %3F, # as %23, @ as %40, : as %3A, % as %25"
	case u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix":
		return "it must begin with redis://, rediss:// or unix://"
	}
	return "the database is not a number, or a parameter is invalid"
}
