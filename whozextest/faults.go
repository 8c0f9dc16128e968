package whozextest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/whozex/whozex-go"
)

// Fault is something that goes wrong with one request; see [Server.Inject]. It
// strikes after the key and the rate limit were checked.
type Fault struct {
	name   string
	before bool          // strikes instead of the operation
	delay  time.Duration // before the operation
	act    func(*Server, http.ResponseWriter, *http.Request, *Request, answer)
}

// String names the fault, as the journal does.
func (f Fault) String() string { return f.name }

// CutBeforeCommit closes the connection; nothing is done.
func CutBeforeCommit() Fault { return Fault{name: "cut before commit", before: true, act: cut} }

// CommitThenCut does what is asked and closes the connection without an answer.
func CommitThenCut() Fault { return Fault{name: "commit then cut", act: cut} }

// CutBody does what is asked, announces the whole answer, sends half of it and
// closes the connection.
func CutBody() Fault { return Fault{name: "cut body", act: cutBody} }

// StallBeforeCommit does nothing and never answers. It ends when the client
// leaves or the server is closed.
func StallBeforeCommit() Fault { return Fault{name: "stall before commit", before: true, act: stall} }

// StallAfterCommit does what is asked and never answers. It ends when the client
// leaves or the server is closed.
func StallAfterCommit() Fault { return Fault{name: "stall after commit", act: stall} }

// LateCommit does what is asked after delay, even if the client has left by
// then, and answers then.
func LateCommit(delay time.Duration) Fault {
	must(delay > 0, "the delay of a late commit is not positive")
	return Fault{name: fmt.Sprintf("late commit %s", delay), delay: delay, act: pass}
}

// ServerErrorBeforeCommit answers with a 5xx status; nothing is done.
func ServerErrorBeforeCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("%d before commit", status), before: true, act: replace(func() answer { return serverError(status) })}
}

// ServerErrorAfterCommit does what is asked and answers with a 5xx status.
func ServerErrorAfterCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("%d after commit", status), act: replace(func() answer { return serverError(status) })}
}

// HTMLErrorBeforeCommit answers with a 5xx status and a page of HTML, as a proxy
// in between would; nothing is done.
func HTMLErrorBeforeCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("HTML %d before commit", status), before: true, act: replace(func() answer { return htmlError(status) })}
}

// HTMLErrorAfterCommit does what is asked and answers as [HTMLErrorBeforeCommit].
func HTMLErrorAfterCommit(status int) Fault {
	mustBe5xx(status)
	return Fault{name: fmt.Sprintf("HTML %d after commit", status), act: replace(func() answer { return htmlError(status) })}
}

// TooManyRequests answers 429 with the given Retry-After, without the header if
// it is empty; nothing is done.
func TooManyRequests(retryAfter string) Fault {
	return Fault{name: "429", before: true, act: replace(func() answer {
		return newAnswer(nil, tooManyRequests(retryAfter), time.Now())
	})}
}

// Garbage does what is asked and answers 200 with a body that is no envelope.
func Garbage() Fault {
	return Fault{name: "garbage", act: replace(func() answer {
		return answer{status: http.StatusOK, header: contentType("application/json"), body: []byte("{]\x00garbage")}
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

func serverError(status int) answer {
	return newAnswer(nil, &failure{status: status, message: http.StatusText(status)}, time.Now())
}

func htmlError(status int) answer {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	page := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
	return answer{status: status, header: contentType("text/html; charset=utf-8"), body: []byte(page)}
}

func pass(s *Server, w http.ResponseWriter, _ *http.Request, entry *Request, a answer) {
	s.finish(w, entry, a)
}

func replace(with func() answer) func(*Server, http.ResponseWriter, *http.Request, *Request, answer) {
	return func(s *Server, w http.ResponseWriter, _ *http.Request, entry *Request, _ answer) {
		s.finish(w, entry, with())
	}
}

func cut(*Server, http.ResponseWriter, *http.Request, *Request, answer) { panic(http.ErrAbortHandler) }

func cutBody(s *Server, w http.ResponseWriter, _ *http.Request, entry *Request, a answer) {
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

func stall(s *Server, _ http.ResponseWriter, r *http.Request, _ *Request, _ answer) {
	select {
	case <-r.Context().Done():
	case <-s.done.Done():
	}
	panic(http.ErrAbortHandler)
}

// perform does what the request asks for, with its fault if it has one.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, found *route, c *call, entry *Request, fault *Fault) {
	if fault == nil {
		s.finish(w, entry, s.commit(found, c, entry))
		return
	}
	if !s.pause(fault.delay) {
		panic(http.ErrAbortHandler)
	}
	var a answer
	if !fault.before {
		a = s.commit(found, c, entry)
	}
	fault.act(s, w, r, entry, a)
}

// faults are those still to come.
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

// Inject lets the next times requests for op meet fault, after those injected
// before.
func (s *Server) Inject(op whozex.Operation, fault Fault, times int) {
	must(fault.act != nil && times >= 0, "a fault needs a kind and a count that is not negative")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.next[op] = append(s.faults.next[op], slices.Repeat([]Fault{fault}, times)...)
}

// InjectEvery lets every n-th request for op from now on meet fault, except
// where [Server.Inject] has one for it. Of several that fall on one request the
// first injected strikes.
func (s *Server) InjectEvery(op whozex.Operation, n int, fault Fault) {
	must(fault.act != nil && n >= 1, "a fault needs a kind and a period of at least 1")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.every[op] = append(s.faults.every[op], &periodic{fault: fault, n: n})
}

// ClearFaults forgets all faults that have not struck yet.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = newFaults()
}
