package whozextest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// ErrNoWebhook means that no webhook of the server is registered for the event.
var ErrNoWebhook = errors.New("whozextest: no webhook for the event")

// NewEventRequest returns a request as the API sends it: a POST to /webhooks, signed with
// secret. Pass it to a handler or, with another URL, send it. data is encoded with
// encoding/json, a [whozex.PackageCreated] in the API's form. The event's time is now. It
// panics if data cannot be encoded.
//
//	w := httptest.NewRecorder()
//	handler.ServeHTTP(w, whozextest.NewEventRequest("wxsec_example", whozex.EventPackageCreated,
//		whozex.PackageCreated{PackageID: "PKG-A1B2C3"}))
func NewEventRequest(secret, name string, data any) *http.Request {
	body, err := json.Marshal(newEvent(name, data, time.Now()))
	if err != nil {
		panic("whozextest: data of the event: " + err.Error())
	}
	req, err := newEventRequest(context.Background(), "http://example.com/webhooks", secret, body)
	if err != nil {
		panic(err) // impossible: the URL is constant
	}
	req.RemoteAddr = "192.0.2.1:1234"
	return req
}

func newEventRequest(ctx context.Context, url, secret string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(webhookverify.SignatureHeader, webhookverify.Sign(body, secret))
	return req, nil
}

// newEvent encodes a [whozex.PackageCreated] by field, since its decimals would become
// strings.
func newEvent(name string, data any, at time.Time) event {
	if created, ok := data.(*whozex.PackageCreated); ok && created != nil {
		data = *created
	}
	if created, ok := data.(whozex.PackageCreated); ok {
		data = packageCreatedData{
			UserID: created.UserID, PackageID: created.PackageID, GB: quantity(created.GB), Cost: money(created.Cost),
		}
	}
	return event{Event: name, Data: data, Timestamp: stamp(at)}
}

// SendEvent sends an event with any name and data, see [NewEventRequest], to each webhook
// that is registered for the name, after the events already queued, and waits for the
// responses. It returns [ErrNoWebhook], an error if data cannot be encoded, the error of
// ctx, or an error for each webhook that could not be reached or responded with a status
// other than 2xx.
func (s *Server) SendEvent(ctx context.Context, name string, data any) error {
	raw, err := json.Marshal(newEvent(name, data, time.Time{}).Data)
	if err != nil {
		return fmt.Errorf("whozextest: data of %s: %w", name, err)
	}
	s.mu.Lock()
	results := s.emit(name, json.RawMessage(raw))
	s.mu.Unlock()
	if len(results) == 0 {
		return fmt.Errorf("%w: %s", ErrNoWebhook, name)
	}
	var failed error
	for _, result := range results {
		select {
		case err := <-result:
			failed = errors.Join(failed, err)
		case <-ctx.Done():
			return errors.Join(failed, ctx.Err())
		}
	}
	return failed
}

// emit queues an event for the webhooks that are registered for it. Each result is sent
// once. The lock is held.
func (s *Server) emit(name string, data any) (results []<-chan error) {
	e := newEvent(name, data, s.now().Truncate(time.Millisecond))
	for _, hook := range s.webhooks {
		if s.closed || !hook.loopback && !s.settings.anywhere || !slices.Contains(hook.events, name) {
			continue
		}
		if s.pending == 0 {
			s.idle = make(chan struct{})
		}
		s.pending++
		result := make(chan error, 1)
		results = append(results, result)
		hook.queue = append(hook.queue, queued{e, result})
		if !hook.running {
			hook.running = true
			s.running.Add(1)
			go s.deliverAll(hook)
		}
	}
	return results
}
