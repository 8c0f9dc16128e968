package main

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/webhookverify"
)

// newStore remembers what was handled: in Redis, or without one in this process
// for a day, which no sender is documented to exceed or to keep to.
func newStore(url string) (store webhookverify.ReplayStore, end func() error, err error) {
	if url == "" {
		return webhookverify.NewMemoryReplayStore(24*time.Hour, 100_000), func() error { return nil }, nil
	}
	options, err := redisguard.ParseURL(url)
	if err != nil {
		return nil, nil, fmt.Errorf("-redis: %w", err)
	}
	rdb := redis.NewClient(options)
	shared, err := redisguard.NewReplayStore(rdb, redisguard.WithName("webhookreceiver"))
	return shared, rdb.Close, err
}
