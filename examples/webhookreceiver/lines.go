package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

// line is an event on stdout.
type line struct {
	// ID is the same for each delivery of the event, also across restarts.
	ID         string    `json:"id"`
	ReceivedAt time.Time `json:"received_at"`
	Event      string    `json:"event"`
	// Body is all that was signed: events have more fields than are documented.
	Body json.RawMessage `json:"body"`
}

// lines writes events, a whole line in one call and without a buffer.
type lines struct {
	mu     sync.Mutex
	to     io.Writer
	torn   bool
	closed bool
}

// write returns nil only when the line is written: the 200 hangs on it. It writes
// even if the sender has left meanwhile, who may not come again.
func (l *lines) write(_ context.Context, event *webhookverify.Event) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	// The encoder takes line breaks out of the body, so that it stays one line.
	err := encoder.Encode(line{ID: event.ID, ReceivedAt: time.Now().UTC(), Event: event.Name, Body: event.Body})
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", event.ID, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.New("shutting down")
	}
	data := text.Bytes()
	if l.torn {
		// What was left of a line, say by a full disk, must not swallow this one.
		data = append([]byte{'\n'}, data...)
	}
	n, err := l.to.Write(data)
	l.torn = err != nil && (l.torn || n > 0)
	if err != nil {
		return fmt.Errorf("writing event %s: %w", event.ID, err)
	}
	return nil
}

// close waits for the line that is being written and refuses later ones. Shutdown
// alone does not see to that: it may close a connection that was idle just now,
// and whose next request is being handled already.
func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
