package e2e

import "sync"

// ledger holds what a server has seen and done of each call, by the call's API
// key, which no other call has.
type ledger struct {
	mu      sync.Mutex
	calls   map[string]*record
	pending sync.WaitGroup // commits that come late
}

type record struct {
	requests []*bool // by arrival: whether the response to it proves that nothing was done
	commits  int
}

func newLedger() *ledger { return &ledger{calls: map[string]*record{}} }

func (l *ledger) of(key string) *record {
	r := l.calls[key]
	if r == nil {
		r = new(record)
		l.calls[key] = r
	}
	return r
}

// arrive notes a request. What it returns is set once the request is void.
func (l *ledger) arrive(key string) (void *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of(key)
	void = new(bool)
	r.requests = append(r.requests, void)
	return void
}

func (l *ledger) setVoid(void *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*void = true
}

func (l *ledger) commit(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(key).commits++
}

// read returns a copy of what is known of a call.
func (l *ledger) read(key string) (requests, void, commits int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.of(key)
	for _, v := range r.requests {
		if *v {
			void++
		}
	}
	return len(r.requests), void, r.commits
}
