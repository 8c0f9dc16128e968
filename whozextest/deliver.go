package whozextest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

const deliveryTimeout = 10 * time.Second

var errClosed = errors.New("the server is closed")

// newEventClient returns a client that follows no redirect and, unless it may go
// anywhere, reaches loopback alone, whatever a name resolves to.
func newEventClient(anywhere bool) *http.Client {
	dialer := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if host, _, err := net.SplitHostPort(address); !anywhere && (err != nil || !net.ParseIP(host).IsLoopback()) {
			return fmt.Errorf("whozextest: %s is not loopback", address)
		}
		return nil
	}}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       deliveryTimeout,
	}
}

// deliverAll sends a webhook's events in order until none is left.
func (s *Server) deliverAll(hook *webhook) {
	defer s.running.Done()
	for {
		next, ok := s.nextEvent(hook)
		if !ok {
			return
		}
		err := errClosed
		if s.done.Err() == nil {
			err = s.deliver(hook, next.event)
		}
		if err != nil {
			err = fmt.Errorf("whozextest: webhook %s: %w", hook.id, err)
		}
		next.result <- err
		s.delivered()
	}
}

func (s *Server) nextEvent(hook *webhook) (queued, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(hook.queue) == 0 {
		hook.running = false
		return queued{}, false
	}
	next := hook.queue[0]
	hook.queue = hook.queue[1:]
	return next, true
}

func (s *Server) delivered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending--; s.pending == 0 {
		close(s.idle)
	}
}

func (s *Server) deliver(hook *webhook, e event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	req, err := newEventRequest(s.done, hook.url, hook.secret, body)
	if err != nil {
		return err
	}
	res, err := s.events.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		err = fmt.Errorf("responded %s", res.Status)
	}
	return errors.Join(err, res.Body.Close())
}

// WaitDeliveries waits until every event so far was delivered or has failed, or until ctx
// ends; then it returns the error of ctx.
func (s *Server) WaitDeliveries(ctx context.Context) error {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	default:
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
