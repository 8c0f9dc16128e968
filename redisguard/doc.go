// Package redisguard lets several processes share one API key of the Whozex
// Reseller API, and one stream of its webhooks, through a Redis they all reach.
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
// [Limiter] holds all processes together to one rate and, by its
// [Limiter.Transport], lets a 429 that one of them meets stop them all.
// [ReplayStore] lets each webhook be handled by one of them.
//
// # When Redis is slow, restarting or gone
//
// No call waits for Redis longer than [WithTimeout]; a response later than that
// counts as none, and so does an error of Redis itself. What then happens is
// yours to choose:
//
//   - [Limiter] with [FailOpen] goes on under a limit of each process, with
//     [FailClosed] it refuses at once. A refusal comes before anything is sent:
//     it is a definite failure, never a spend whose outcome is unknown.
//   - [ReplayStore] refuses, so that the sender is responded with 503 and comes again,
//     or with [WithLocalStore] goes on with a store of each process.
//
// Both come back to Redis by themselves once it answers, and neither logs;
// go-redis itself does, a line for each dial that fails, unless you silence it
// with redis.SetLogger. Any settings of go-redis will do, but by its defaults it
// dials five times before it says that no one listens: with DialerRetries and
// MaxRetries of 1, as above and by [ParseURL], a Redis that is gone is known at
// once, and the error tells why.
// Redis may lose its memory in a restart: a fresh limit then begins with a full
// burst, a pause is forgotten by all but those already waiting, and a handled
// event is forgotten as well, unless Redis writes to disk: for a [ReplayStore] set
// "appendonly yes", and "appendfsync always" if not even the last second before
// a crash may be forgotten. Set "maxmemory-policy noeviction" too.
//
// # Clocks
//
// Nothing here compares the clocks of two machines. What goes into Redis holds
// lengths of time only, which Redis counts by its own clock.
//
// # The cache
//
// There is no shared cache: whozex.WithCache takes a lifetime and no store, and
// empties itself when its own client spends. What another process changes is
// seen after that lifetime, so keep it short, or ask with whozex.Fresh.
package redisguard
