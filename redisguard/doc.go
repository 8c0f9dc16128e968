// Package redisguard lets several processes share one API key of the Whozex
// Reseller API, and one stream of its webhooks, through Redis.
//
//	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379", DialerRetries: 1, MaxRetries: 1})
//	limiter, err := redisguard.NewLimiter(rdb, redis_rate.Limit{Rate: 50, Burst: 5, Period: time.Second},
//		redisguard.FailOpen(rate.NewLimiter(12, 1)))
//	if err != nil {
//		return err
//	}
//	client, err := whozex.New(key,
//		whozex.WithLimiter(limiter),
//		whozex.WithHTTPClient(&http.Client{Transport: limiter.Transport(nil)}))
//
// [Limiter] applies one rate limit to all processes together. With
// [Limiter.Transport], a 429 response to one of them pauses all of them.
// [ReplayStore] makes sure that only one of them handles each webhook.
//
// # When Redis is slow or down
//
// No call waits for Redis longer than [WithTimeout]. A later reply counts as a
// failure, and so does an error from Redis. You choose what happens then:
//
//   - [Limiter] with [FailOpen] continues under a limit for each process. With
//     [FailClosed] it returns an error at once, before anything is sent. The
//     outcome of the call is then known: nothing was done.
//   - [ReplayStore] returns an error, so that the sender receives a 503 and can
//     redeliver. With [WithLocalStore] it continues with a store in each process.
//
// Both use Redis again as soon as it replies. Neither logs; [WithOnOutage] reports the
// beginning and the end of an outage. go-redis logs a line for each failed dial, unless
// you silence it with redis.SetLogger.
//
// Any settings of go-redis work. By default it dials five times before it reports
// that a connection was refused. With DialerRetries and MaxRetries set to 1, as
// above and in [ParseURL], it reports this at once, with the reason.
//
// Redis can lose its data in a restart. The limit then starts with a full burst,
// only callers that are already waiting observe the pause, and handled events are
// forgotten. For a [ReplayStore], set "appendonly yes", or also "appendfsync
// always" to keep the last second before a crash. Set "maxmemory-policy
// noeviction" too.
//
// # Clocks
//
// The clocks of the machines may differ. Redis receives only durations and
// measures them with its own clock.
//
// # Caching
//
// The client's cache is not shared: a mutating call clears only the cache of its
// own client. Other processes see the change when their entries expire, so choose
// a short lifetime in whozex.WithCache, or read with whozex.Fresh.
package redisguard
