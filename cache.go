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

// The cache holds at most maxCached bodies of at most cachedBytes each.
const (
	maxCached   = 512
	cachedBytes = 128 << 10
)

// cache keeps the responses to reads as they came, so that every caller decodes
// its own copy.
type cache struct {
	ttl       time.Duration
	responses *lru.Cache[string, *cachedResponse]
	flights   singleflight.Group
	// generation is part of every key, so that a response to a request sent before a
	// mutating call is never returned after it.
	generation atomic.Uint64
}

// cachedResponse is how a read ended.
type cachedResponse struct {
	at           time.Time
	status       int
	header       http.Header
	body         []byte
	attempts     int
	onWire       time.Duration
	key          *apiKey
	err          error
	callersError bool        // caused by the first caller's context or limiter; the others must retry
	invalid      atomic.Bool // the body turned out to be unreadable
}

func newCache(ttl time.Duration) *cache {
	responses, err := lru.New[string, *cachedResponse](maxCached)
	if err != nil {
		panic("whozex: " + err.Error()) // its one cause is a size below 1
	}
	return &cache{ttl: ttl, responses: responses}
}

// empty forgets everything. A nil cache is empty always.
func (c *cache) empty() {
	if c == nil {
		return
	}
	c.generation.Add(1)
	c.responses.Purge()
}

// read returns the response to req from memory, or coalesces equal requests of the
// same shape into one. That one runs under the context of the first caller; if it
// fails because of that, another caller takes over.
func (c *cache) read(ctx context.Context, req request, shape string, ask func(context.Context, request) (*callState, error)) (*callState, error) {
	for {
		key := strconv.FormatUint(c.generation.Load(), 10) + " " + req.method + " " + req.path + "?" + req.query.Encode()
		if kept := c.lookup(key); kept != nil {
			return kept.state(req, 0)
		}
		var first atomic.Bool
		flight := c.flights.DoChan(key+shape, func() (any, error) {
			// The request before may have ended since the check above.
			if kept := c.lookup(key); kept != nil {
				return kept, nil
			}
			first.Store(true)
			s, err := ask(ctx, req)
			return c.store(ctx, key, s, err), nil
		})
		select {
		case result := <-flight:
			a := result.Val.(*cachedResponse)
			switch {
			case first.Load():
				return a.state(req, a.attempts)
			case !a.callersError:
				return a.state(req, 0)
			}
		case <-ctx.Done():
			if first.Load() {
				// The request ends now too, with the better error.
				a := (<-flight).Val.(*cachedResponse)
				return a.state(req, a.attempts)
			}
			s := newCallState(req)
			return s, s.transportError(ctx.Err())
		}
	}
}

func (c *cache) lookup(key string) *cachedResponse {
	if a, ok := c.responses.Get(key); ok && time.Since(a.at) < c.ttl && !a.invalid.Load() {
		return a
	}
	return nil
}

// keep stores a success, and returns what those who wait for it receive.
func (c *cache) store(ctx context.Context, key string, s *callState, err error) *cachedResponse {
	defer s.release()
	a := &cachedResponse{
		at:           time.Now(),
		status:       s.last.status,
		header:       s.last.header,
		body:         bytes.Clone(s.received()),
		attempts:     s.last.number,
		onWire:       s.onWire,
		key:          s.last.key,
		err:          err,
		callersError: err != nil && (s.stopped != nil || ctx.Err() != nil),
	}
	if err == nil && len(a.body) <= cachedBytes {
		c.responses.Add(key, a)
	}
	return a
}

// state is the call of one caller who receives the response.
func (a *cachedResponse) state(req request, attempts int) (*callState, error) {
	s := newCallState(req)
	s.last = &attempt{number: attempts, key: a.key, status: a.status, header: a.header}
	s.cached = a
	if attempts > 0 {
		s.onWire = a.onWire
	}
	s.buffer.Write(a.body)
	return s, a.err
}
