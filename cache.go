package whozex

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// The cache holds at most cachedAnswers bodies of at most cachedBytes each.
const (
	cachedAnswers = 512
	cachedBytes   = 128 << 10
)

// cache keeps the answers to reads as they came, so that every caller decodes a
// value of his own.
type cache struct {
	ttl     time.Duration
	answers *lru.Cache[string, *answer]
	flights singleflight.Group
	// era is part of every key: what was asked for before a spend, even if the
	// answer comes later, is never found after it.
	era atomic.Uint64
}

// answer is how a read ended.
type answer struct {
	at       time.Time
	status   int
	header   http.Header
	body     []byte
	attempts int
	key      *apiKey
	err      error
	personal bool        // err is about the one who asked: his context, his limiter
	spoiled  atomic.Bool // the body turned out to be unreadable
}

func newCache(ttl time.Duration) *cache {
	answers, err := lru.New[string, *answer](cachedAnswers)
	if err != nil {
		panic("whozex: " + err.Error()) // its one cause is a size below 1
	}
	return &cache{ttl: ttl, answers: answers}
}

// empty forgets everything. A nil cache is empty always.
func (c *cache) empty() {
	if c == nil {
		return
	}
	c.era.Add(1)
	c.answers.Purge()
}

// read answers req from memory, or by one request for all who ask the same at
// the same time. That request runs under the context of whoever came first; if
// it fails for his reasons, another takes it over.
func (c *cache) read(ctx context.Context, req request, ask func(context.Context, request) (*exchange, error)) (*exchange, error) {
	for {
		key := strconv.FormatUint(c.era.Load(), 10) + " " + req.method + " " + req.path + "?" + req.query.Encode()
		if kept := c.kept(key); kept != nil {
			return kept.tell(ctx, req, 0)
		}
		var first atomic.Bool
		flight := c.flights.DoChan(key, func() (any, error) {
			// The flight before may have landed since the look above.
			if kept := c.kept(key); kept != nil {
				return kept, nil
			}
			first.Store(true)
			x, err := ask(ctx, req)
			return c.keep(key, x, err), nil
		})
		select {
		case result := <-flight:
			a := result.Val.(*answer)
			switch {
			case first.Load():
				return a.tell(ctx, req, a.attempts)
			case !a.personal:
				return a.tell(ctx, req, 0)
			}
		case <-ctx.Done():
			if first.Load() {
				// The request ends now too, and knows better why.
				a := (<-flight).Val.(*answer)
				return a.tell(ctx, req, a.attempts)
			}
			x := newExchange(ctx, req)
			return x, x.failure(ctx.Err())
		}
	}
}

func (c *cache) kept(key string) *answer {
	if a, ok := c.answers.Get(key); ok && time.Since(a.at) < c.ttl && !a.spoiled.Load() {
		return a
	}
	return nil
}

// keep remembers a success, and returns what to tell those who wait for it.
func (c *cache) keep(key string, x *exchange, err error) *answer {
	defer x.release()
	a := &answer{
		at:       time.Now(),
		status:   x.status,
		header:   x.header,
		body:     bytes.Clone(x.body.Bytes()),
		attempts: x.attempts,
		key:      x.key,
		err:      err,
		personal: err != nil && (x.stopped != nil || x.Err() != nil),
	}
	if err == nil && len(a.body) <= cachedBytes {
		c.answers.Add(key, a)
	}
	return a
}

// tell makes the answer one caller's own.
func (a *answer) tell(ctx context.Context, req request, attempts int) (*exchange, error) {
	x := newExchange(ctx, req)
	x.status, x.header, x.attempts, x.key, x.shared = a.status, a.header, attempts, a.key, a
	x.body.Write(a.body)
	return x, a.err
}
