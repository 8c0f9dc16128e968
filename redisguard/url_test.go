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

	for _, tt := range []struct{ name, url, wantErr string }{
		{name: "slash in password", url: "redis://app:hunter2/x@127.0.0.1:6379", wantErr: "escaped"},
		{name: "percent sign in password", url: "redis://app:hunter2%zz@127.0.0.1:6379", wantErr: "escaped"},
		{name: "question mark in password", url: "redis://app:hunter2?x@127.0.0.1:6379", wantErr: "escaped"},
		{name: "number sign in password", url: "redis://app:hunter2#x@127.0.0.1:6379", wantErr: "escaped"},
		{name: "leading space", url: " redis://app:hunter2@127.0.0.1:6379", wantErr: "escaped"},
		{name: "no scheme", url: "//app:hunter2@127.0.0.1:6379", wantErr: "redis://"},
		{name: "wrong scheme", url: "http://app:hunter2@127.0.0.1:6379", wantErr: "redis://"},
		{name: "database is not a number", url: "redis://app:hunter2@127.0.0.1:6379/hunter2", wantErr: "not a number"},
		{name: "unknown parameter", url: "redis://app:hunter2@127.0.0.1:6379/0?hunter2=1", wantErr: "parameter is invalid"},
		{name: "invalid parameter value", url: "redis://app:hunter2@127.0.0.1:6379/0?read_timeout=hunter2", wantErr: "parameter is invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := redisguard.ParseURL(tt.url)
			require.ErrorIs(t, err, redisguard.ErrURL)
			assert.ErrorContains(t, err, tt.wantErr)
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2")
		})
	}
}

// The test generates passwords and puts them in places where they break the URL.
func TestParseURL_ErrorHidesPassword(t *testing.T) {
	t.Parallel()
	invalid := 0
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.StringMatching(`[Q-Z]{6}[/?#@:%&= \\"]{0,3}[Q-Z]{6}`).Draw(t, "password")
		address := fmt.Sprintf(rapid.SampledFrom([]string{
			"redis://:%s@127.0.0.1:6379/0", "redis://app:%s@localhost", "rediss://%s@h:1/0?x", "%s", "redis:%s", "redis://h/%s", "redis://h?x=%s",
		}).Draw(t, "address"), password)
		_, err := redisguard.ParseURL(address)
		if _, redisErr := redis.ParseURL(address); (redisErr == nil) != (err == nil) {
			t.Fatalf("%q: got %v, go-redis returns %v", address, err, redisErr)
		}
		if err == nil {
			return
		}
		invalid++
		for _, part := range []string{password, password[:6], password[len(password)-6:], url.QueryEscape(password)} {
			if strings.Contains(err.Error(), part) {
				t.Fatalf("%q: %v", address, err)
			}
		}
	})
	t.Logf("%d invalid", invalid)
	assert.NotZero(t, invalid)
}
