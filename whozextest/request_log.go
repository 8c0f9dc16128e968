package whozextest

import (
	"slices"

	"github.com/whozex/whozex-go"
)

// Request is one request that the server received.
type Request struct {
	// Seq counts the requests from 1.
	Seq int
	// Operation is empty for an unknown route or a wrong method.
	Operation whozex.Operation
	Method    string
	// Path is the path as received, with the version, and Query the query.
	Path, Query string
	// Status is that of the response, 0 if none was begun.
	Status int
	// Committed reports whether the request changed something.
	Committed bool
	Body      string
	// Fault is the name of the fault that was applied, empty without one.
	Fault string
}

// minLogged is how many requests are kept at least.
const minLogged = 100_000

type requestLog struct {
	seq      int
	entries  []*Request
	requests map[whozex.Operation]int
	commits  map[whozex.Operation]int
}

func newRequestLog() requestLog {
	return requestLog{requests: map[whozex.Operation]int{}, commits: map[whozex.Operation]int{}}
}

func (j *requestLog) open(r Request) *Request {
	j.seq++
	r.Seq = j.seq
	j.requests[r.Operation]++
	if len(j.entries) >= 2*minLogged {
		j.entries = slices.Clone(j.entries[len(j.entries)-minLogged:])
	}
	j.entries = append(j.entries, &r)
	return &r
}

// RequestLog returns a copy of the requests so far, oldest first. It has at least the
// latest 100,000.
func (s *Server) RequestLog() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := make([]Request, len(s.log.entries))
	for i, entry := range s.log.entries {
		copied[i] = *entry
	}
	return copied
}

// Requests returns the number of requests for op, including refused ones.
func (s *Server) Requests(op whozex.Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.requests[op]
}

// Commits returns the number of requests for op that changed something.
func (s *Server) Commits(op whozex.Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.commits[op]
}
