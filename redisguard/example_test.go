package redisguard_test

import (
	"context"
	"net/http"
	"os"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/webhookverify"
)

// Four replicas of a bot share 50 requests per second. While Redis is down, each
// continues with a quarter of that rate.
func ExampleNewLimiter() {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", DialerRetries: 1, MaxRetries: 1})
	limiter, err := redisguard.NewLimiter(rdb, redis_rate.Limit{Rate: 50, Burst: 5, Period: time.Second},
		redisguard.FailOpen(rate.NewLimiter(12, 1)))
	if err != nil {
		panic(err)
	}
	client, err := whozex.New(os.Getenv("WHOZEX_API_KEY"),
		whozex.WithLimiter(limiter),
		whozex.WithHTTPClient(&http.Client{Transport: limiter.Transport(nil)}))
	if err != nil {
		panic(err)
	}
	_ = client
}

// Several replicas receive the webhooks of one URL. One of them handles each event.
func ExampleNewReplayStore() {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", DialerRetries: 1, MaxRetries: 1})
	store, err := redisguard.NewReplayStore(rdb, redisguard.WithLease(30*time.Second))
	if err != nil {
		panic(err)
	}
	verifier, err := webhookverify.New(os.Getenv("WHOZEX_WEBHOOK_SECRET"), webhookverify.WithReplayStore(store))
	if err != nil {
		panic(err)
	}
	http.Handle("/webhooks", verifier.Handler(func(ctx context.Context, event *webhookverify.Event) error {
		// The handler must end before the lease: after it, another replica may
		// handle the event too.
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return handleEvent(ctx, event)
	}))
}

func handleEvent(context.Context, *webhookverify.Event) error { return nil }
