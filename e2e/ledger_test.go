package e2e

import "sync"

// ledger records the requests and commits of each call. Each call has its own API key.
type ledger struct {
	mu      sync.Mutex
	calls   map[string]*record
	pending sync.WaitGroup // delayed commits
}

type record struct {
	requests []*bool // in order: whether the response proves that nothing was done
	commits  int
}

func newLedger() *ledger { return &ledger{calls: map[string]*record{}} }

func (l *ledger) record(key string) *record {
	r := l.calls[key]
	if r == nil {
		r = new(record)
		l.calls[key] = r
	}
	return r
}

// addRequest records a request. The result is for markRejected.
func (l *ledger) addRequest(key string) (rejected *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.record(key)
	rejected = new(bool)
	r.requests = append(r.requests, rejected)
	return rejected
}

// markRejected records that the response proves that nothing was done.
func (l *ledger) markRejected(rejected *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*rejected = true
}

func (l *ledger) commit(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record(key).commits++
}

// counts returns the numbers of requests, rejected requests and commits of a call.
func (l *ledger) counts(key string) (requests, rejected, commits int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.record(key)
	for _, v := range r.requests {
		if *v {
			rejected++
		}
	}
	return len(r.requests), rejected, r.commits
}
