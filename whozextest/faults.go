package whozextest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/whozex/whozex-go"
)

// Fault makes one request fail, see [Server.Inject]. It takes effect after the key and the
// rate limit are checked.
type Fault struct {
	name   string
	before bool          // takes effect instead of the operation
	delay  time.Duration // before the operation
	act    func(*Server, http.ResponseWriter, *http.Request, *Request, response)
}

// String returns the name of the fault, as in the request log.
func (f Fault) String() string { return f.name }

// DropBeforeCommit closes the connection; nothing is done.
func DropBeforeCommit() Fault { return Fault{name: "drop before commit", before: true, act: drop} }

// CommitThenDrop carries the call out and closes the connection without a response.
func CommitThenDrop() Fault { return Fault{name: "commit then drop", act: drop} }

// TruncateBody carries the call out, declares the length of the response, sends half of it and
// closes the connection.
func TruncateBody() Fault { return Fault{name: "truncate body", act: truncateBody} }

// StallBeforeCommit does nothing and never responds. It ends when the client
// leaves or the server is closed.
func StallBeforeCommit() Fault { return Fault{name: "stall before commit", before: true, act: stall} }

// StallAfterCommit carries the call out and never responds. It ends when the client
// leaves or the server is closed.
func StallAfterCommit() Fault { return Fault{name: "stall after commit", act: stall} }

// LateCommit carries the call out after delay, even if the client has left by
// then, and responds then.
func LateCommit(delay time.Duration) Fault {
	must(delay > 0, "the delay of a late commit is not positive")
	return Fault{name: fmt.Sprintf("late commit %s", delay), delay: delay, act: pass}
}

// ServerErrorBeforeCommit responds with a 5xx status; nothing is done.
func ServerErrorBeforeCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("%d before commit", status), before: true, act: replace(func() response { return serverError(status) })}
}

// ServerErrorAfterCommit carries the call out and responds with a 5xx status.
func ServerErrorAfterCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("%d after commit", status), act: replace(func() response { return serverError(status) })}
}

// HTMLErrorBeforeCommit responds with a 5xx status and a page of HTML, as a proxy
// in between would; nothing is done.
func HTMLErrorBeforeCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("HTML %d before commit", status), before: true, act: replace(func() response { return htmlError(status) })}
}

// HTMLErrorAfterCommit carries the call out and responds as [HTMLErrorBeforeCommit].
func HTMLErrorAfterCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("HTML %d after commit", status), act: replace(func() response { return htmlError(status) })}
}

// TooManyRequests responds with 429 with the given Retry-After, without the header if
// it is empty; nothing is done.
func TooManyRequests(retryAfter string) Fault {
	return Fault{name: "429", before: true, act: replace(func() response {
		return newResponse(nil, tooManyRequests(retryAfter), time.Now())
	})}
}

// Garbage carries the call out and responds with 200 with a body that is no envelope.
func Garbage() Fault {
	return Fault{name: "garbage", act: replace(func() response {
		return response{status: http.StatusOK, header: contentType("application/json"), body: []byte("{]\x00garbage")}
	})}
}

func mustBe5xx(status int) {
	must(status >= 500 && status <= 599, fmt.Sprintf("%d is no 5xx status", status))
}

func must(ok bool, otherwise string) {
	if !ok {
		panic("whozextest: " + otherwise)
	}
}

func contentType(value string) http.Header { return http.Header{"Content-Type": {value}} }

func serverError(status int) response {
	return newResponse(nil, &failure{status: status, message: http.StatusText(status)}, time.Now())
}

func htmlError(status int) response {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
	return response{status: status, header: contentType("text/html; charset=utf-8"), body: []byte(page)}
}

func pass(s *Server, w http.ResponseWriter, _ *http.Request, entry *Request, a response) {
	s.finish(w, entry, a)
}

func replace(with func() response) func(*Server, http.ResponseWriter, *http.Request, *Request, response) {
	return func(s *Server, w http.ResponseWriter, _ *http.Request, entry *Request, _ response) {
		s.finish(w, entry, with())
	}
}

func drop(*Server, http.ResponseWriter, *http.Request, *Request, response) {
	panic(http.ErrAbortHandler)
}

func truncateBody(s *Server, w http.ResponseWriter, _ *http.Request, entry *Request, a response) {
	s.setStatus(entry, a.status)
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func stall(s *Server, _ http.ResponseWriter, r *http.Request, _ *Request, _ response) {
	select {
	case <-r.Context().Done():
	case <-s.done.Done():
	}
	panic(http.ErrAbortHandler)
}

// perform carries the request out, with its fault if it has one.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, found *route, c *call, entry *Request, fault *Fault) {
	if fault == nil {
		s.finish(w, entry, s.commit(found, c, entry))
		return
	}
	if !s.pause(fault.delay) {
		panic(http.ErrAbortHandler)
	}
	var a response
	if !fault.before {
		a = s.commit(found, c, entry)
	}
	fault.act(s, w, r, entry, a)
}

// faults are the pending faults.
type faults struct {
	next  map[whozex.Operation][]Fault
	every map[whozex.Operation][]*periodic
}

type periodic struct {
	fault   Fault
	n, seen int
}

func newFaults() faults {
	return faults{next: map[whozex.Operation][]Fault{}, every: map[whozex.Operation][]*periodic{}}
}

func (f *faults) pick(op whozex.Operation) *Fault {
	var picked *Fault
	for _, p := range f.every[op] {
		if p.seen++; p.seen%p.n == 0 && picked == nil {
			picked = &p.fault
		}
	}
	if queue := f.next[op]; len(queue) > 0 {
		f.next[op] = queue[1:]
		return &queue[0]
	}
	return picked
}

// Inject applies fault to the next requests for op, as many as times, after the faults
// injected before.
func (s *Server) Inject(op whozex.Operation, fault Fault, times int) {
	must(fault.act != nil && times >= 0, "a fault needs a kind and a count that is not negative")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.next[op] = append(s.faults.next[op], slices.Repeat([]Fault{fault}, times)...)
}

// InjectEvery applies fault to every n-th request for op from now on, unless
// [Server.Inject] has one for it. If several fall on one request, the one injected first
// applies.
func (s *Server) InjectEvery(op whozex.Operation, n int, fault Fault) {
	must(fault.act != nil && n >= 1, "a fault needs a kind and a period of at least 1")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.every[op] = append(s.faults.every[op], &periodic{fault: fault, n: n})
}

// ClearFaults removes all pending faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = newFaults()
}
