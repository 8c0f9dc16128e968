package redisguard_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go/redisguard"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	options, err := redisguard.ParseURL("redis://app:hunter2%2F%40@127.0.0.1:6379/3?read_timeout=2s")
	require.NoError(t, err)
	assert.Equal(t, "hunter2/@", options.Password)
	assert.Equal(t, 3, options.DB)
	assert.Equal(t, 1, options.DialerRetries)
	assert.Equal(t, 1, options.MaxRetries)
	options, err = redisguard.ParseURL("redis://127.0.0.1?max_retries=4")
	require.NoError(t, err)
	assert.Equal(t, 4, options.MaxRetries)

	for _, tt := range []struct{ name, url, says string }{
		{"a slash in the password", "redis://app:hunter2/x@127.0.0.1:6379", "escaped"},
		{"a percent sign in it", "redis://app:hunter2%zz@127.0.0.1:6379", "escaped"},
		{"a question mark in it", "redis://app:hunter2?x@127.0.0.1:6379", "escaped"},
		{"a number sign in it", "redis://app:hunter2#x@127.0.0.1:6379", "escaped"},
		{"a blank in front", " redis://app:hunter2@127.0.0.1:6379", "escaped"},
		{"no scheme", "//app:hunter2@127.0.0.1:6379", "redis://"},
		{"another scheme", "http://app:hunter2@127.0.0.1:6379", "redis://"},
		{"no number", "redis://app:hunter2@127.0.0.1:6379/hunter2", "no number"},
		{"unknown parameter", "redis://app:hunter2@127.0.0.1:6379/0?hunter2=1", "unknown"},
		{"a bad value", "redis://app:hunter2@127.0.0.1:6379/0?read_timeout=hunter2", "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := redisguard.ParseURL(tt.url)
			require.ErrorIs(t, err, redisguard.ErrURL)
			assert.ErrorContains(t, err, tt.says)
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2")
		})
	}
}

// TestNoErrorHasThePassword draws passwords and places in which they break a URL.
func TestNoErrorHasThePassword(t *testing.T) {
	t.Parallel()
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.StringMatching(`[Q-Z]{6}[/?#@:%&= \\"]{0,3}[Q-Z]{6}`).Draw(t, "password")
		address := fmt.Sprintf(rapid.SampledFrom([]string{
			"redis://:%s@127.0.0.1:6379/0", "redis://app:%s@localhost", "rediss://%s@h:1/0?x", "%s", "redis:%s", "redis://h/%s", "redis://h?x=%s",
		}).Draw(t, "address"), password)
		_, err := redisguard.ParseURL(address)
		if _, theirs := redis.ParseURL(address); (theirs == nil) != (err == nil) {
			t.Fatalf("%q: %v, go-redis says %v", address, err, theirs)
		}
		if err == nil {
			return
		}
		refused++
		for _, part := range []string{password, password[:6], password[len(password)-6:], url.QueryEscape(password)} {
			if strings.Contains(err.Error(), part) {
				t.Fatalf("%q: %v", address, err)
			}
		}
	})
	t.Logf("%d refused", refused)
	assert.NotZero(t, refused)
}
