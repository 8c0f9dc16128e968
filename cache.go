package whozex

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/whozex/whozex-go/internal/wire"
	"golang.org/x/sync/singleflight"
)

// The cache has at most maxCached bodies of at most cachedBytes each.
const (
	maxCached   = 512
	cachedBytes = 128 << 10
)

// responseCache is a cache. It is an interface so that a program without [WithCache] does
// not link it.
type responseCache interface {
	read(ctx context.Context, s *callState, shape string, ask func(context.Context, *callState) error) error
	empty()
}

func (c *Client) emptyCache() {
	if c.cache != nil {
		c.cache.empty()
	}
}

// cache stores the bodies of reads, so that every caller decodes its own copy.
type cache struct {
	ttl       time.Duration
	responses *lru.Cache[string, *cachedResponse]
	flights   singleflight.Group
	// generation is part of every key, so that a response to a request sent before a
	// mutating call is never returned after it.
	generation atomic.Uint64
}

// cachedResponse is the result of a read.
type cachedResponse struct {
	at           time.Time
	status       int
	header       http.Header
	body         []byte
	attempts     int
	onWire       time.Duration
	key          *wire.Key
	err          error
	callersError bool        // caused by the first caller's context or limiter; the others must retry
	invalid      atomic.Bool // the body could not be decoded
}

func newCache(ttl time.Duration) *cache {
	responses, err := lru.New[string, *cachedResponse](maxCached)
	if err != nil {
		panic("whozex: " + err.Error()) // its one cause is a size below 1
	}
	return &cache{ttl: ttl, responses: responses}
}

// empty removes everything.
func (c *cache) empty() {
	c.generation.Add(1)
	c.responses.Purge()
}

// read returns the response to req from memory, or coalesces equal requests of the same
// shape into one. It runs with the context of the first caller; if it fails because of
// that, another caller repeats it.
func (c *cache) read(ctx context.Context, s *callState, shape string, ask func(context.Context, *callState) error) error {
	for {
		key := strconv.FormatUint(c.generation.Load(), 10) + " " + s.method + " " + s.path + "?" + s.query.Encode()
		if kept := c.lookup(key); kept != nil {
			return kept.fill(s, 0)
		}
		var first atomic.Bool
		flight := c.flights.DoChan(key+shape, func() (any, error) {
			// An earlier request may have ended since the check above.
			if kept := c.lookup(key); kept != nil {
				return kept, nil
			}
			first.Store(true)
			shared := newCallState(s.request)
			shared.options = s.options
			err := ask(ctx, shared)
			return c.store(ctx, key, shared, err), nil
		})
		select {
		case result := <-flight:
			a := result.Val.(*cachedResponse)
			switch {
			case first.Load():
				return a.fill(s, a.attempts)
			case !a.callersError:
				return a.fill(s, 0)
			}
		case <-ctx.Done():
			if first.Load() {
				// The request ends now as well, with the more precise error.
				a := (<-flight).Val.(*cachedResponse)
				return a.fill(s, a.attempts)
			}
			return s.transportError(ctx.Err())
		}
	}
}

func (c *cache) lookup(key string) *cachedResponse {
	if a, ok := c.responses.Get(key); ok && time.Since(a.at) < c.ttl && !a.invalid.Load() {
		return a
	}
	return nil
}

// store stores a success, and returns the result for all callers that wait for it.
func (c *cache) store(ctx context.Context, key string, s *callState, err error) *cachedResponse {
	a := &cachedResponse{
		at:           time.Now(),
		status:       s.last.status,
		header:       s.last.header,
		body:         s.last.body,
		attempts:     s.last.Number,
		onWire:       s.onWire,
		key:          s.last.Key,
		err:          err,
		callersError: err != nil && (s.stopped != nil || ctx.Err() != nil),
	}
	if err == nil && len(a.body) <= cachedBytes {
		c.responses.Add(key, a)
	}
	return a
}

// fill gives the response to one of the calls that wait for it.
func (a *cachedResponse) fill(s *callState, attempts int) error {
	s.last = &attempt{Attempt: wire.Attempt{Number: attempts, Key: a.key}, status: a.status, header: a.header, body: a.body}
	s.cached = a
	if attempts > 0 {
		s.onWire = a.onWire
	}
	return a.err
}
