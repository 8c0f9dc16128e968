package whozextest

import (
	"slices"

	"github.com/whozex/whozex-go"
)

// Request is one request as the server saw it.
type Request struct {
	// Seq counts the requests from 1.
	Seq int
	// Operation is empty for an unknown route or a wrong method.
	Operation whozex.Operation
	Method    string
	// Path is the path as it came, with the version, and Query what followed it.
	Path, Query string
	// Status is that of the answer, 0 if none was begun.
	Status int
	// Committed tells that the request changed something.
	Committed bool
	Body      string
	// Fault names the fault that the request met, empty for none.
	Fault string
}

// journalLimit is how many requests are kept at least.
const journalLimit = 100_000

type journal struct {
	seq      int
	entries  []*Request
	requests map[whozex.Operation]int
	commits  map[whozex.Operation]int
}

func newJournal() journal {
	return journal{requests: map[whozex.Operation]int{}, commits: map[whozex.Operation]int{}}
}

func (j *journal) open(r Request) *Request {
	j.seq++
	r.Seq = j.seq
	j.requests[r.Operation]++
	if len(j.entries) >= 2*journalLimit {
		j.entries = slices.Clone(j.entries[len(j.entries)-journalLimit:])
	}
	j.entries = append(j.entries, &r)
	return &r
}

// Journal returns a copy of the requests so far, oldest first; of very many, the
// latest 100,000 at least.
func (s *Server) Journal() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	copied := make([]Request, len(s.journal.entries))
	for i, entry := range s.journal.entries {
		copied[i] = *entry
	}
	return copied
}

// Requests tells how many requests for op arrived, refused ones included.
func (s *Server) Requests(op whozex.Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.requests[op]
}

// Commits tells how many requests for op changed something. Reads never do.
func (s *Server) Commits(op whozex.Operation) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.commits[op]
}
