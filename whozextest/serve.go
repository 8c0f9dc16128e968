package whozextest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whozex/whozex-go"
)

// ServeHTTP handles one request of the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the client left while sending
	}
	found, id, allowed := find(r.Method, r.URL.EscapedPath())
	c := newCall(r, id, body)
	entry := s.open(r, operation(found, c), body)
	c.seq = entry.Seq
	if !s.pause(s.settings.latency) {
		panic(http.ErrAbortHandler)
	}
	failed, fault := s.admit(w, r, found, allowed, entry)
	if failed != nil {
		s.finish(w, entry, newResponse(nil, failed, time.Now()))
		return
	}
	s.perform(w, r, found, c, entry, fault)
}

func operation(found *route, c *call) whozex.Operation {
	if found == nil {
		return ""
	}
	if found.op == whozex.OpAddBalance {
		if action, _ := c.text("action"); action == actionDeduct {
			return whozex.OpDeductBalance
		}
	}
	return found.op
}

// open adds a request to the request log.
func (s *Server) open(r *http.Request, op whozex.Operation, body []byte) *Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.open(Request{
		Operation: op, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: string(body),
	})
}

// admit makes all checks before the operation, and selects its fault.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, found *route, allowed []string, entry *Request) (*failure, *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed := s.authenticate(r); failed != nil {
		return failed, nil
	}
	now := time.Now()
	wait := s.limit.take(now)
	if s.settings.headers != "" {
		rateLimitForms[s.settings.headers](w.Header(), s.limit.report(now))
	}
	if wait > 0 {
		seconds := max(1, int((wait+time.Second-1)/time.Second))
		return tooManyRequests(strconv.Itoa(seconds)), nil
	}
	switch {
	case found != nil:
		fault := s.faults.pick(entry.Operation)
		if fault != nil {
			entry.Fault = fault.String()
		}
		return nil, fault
	case len(allowed) > 0:
		return wrongMethod(allowed), nil
	}
	return notFound("Route"), nil
}

func (s *Server) authenticate(r *http.Request) *failure {
	key := r.Header.Get("X-API-Key")
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		scheme, token, _ := strings.Cut(authorization, " ")
		if key = ""; strings.EqualFold(scheme, "Bearer") {
			key = strings.TrimSpace(token)
		}
	}
	switch {
	case key == "":
		return &failure{status: http.StatusUnauthorized, code: "MISSING_API_KEY", message: "API key is required"}
	case key != s.key.value:
		return &failure{status: http.StatusUnauthorized, code: "INVALID_API_KEY", message: "API key is invalid or revoked"}
	case s.disabled:
		return &failure{status: http.StatusForbidden, code: "API_DISABLED", message: "API access is disabled for this account"}
	}
	return nil
}

// commit handles the request under the lock, and encodes the response outside it.
func (s *Server) commit(found *route, c *call, entry *Request) response {
	data, failed, at := s.handle(found, c, entry)
	return newResponse(s.rename(found.op, data), failed, at)
}

func (s *Server) handle(found *route, c *call, entry *Request) (any, *failure, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.now()
	if s.closed {
		return nil, &failure{status: http.StatusServiceUnavailable, message: "Closed"}, at
	}
	used := s.key.value
	data, failed := found.handle(s, c)
	if s.key.value == used {
		s.key.lastUsed = at
	}
	if failed == nil && found.method == http.MethodPost {
		entry.Committed = true
		s.log.commits[entry.Operation]++
	}
	return data, failed, at
}

// finish records the status and writes the response.
func (s *Server) finish(w http.ResponseWriter, entry *Request, a response) {
	s.setStatus(entry, a.status)
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

func (s *Server) setStatus(entry *Request, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.Status = status
}
