package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/whozex/whozex-go/idempotency/inbox"
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
	mu   sync.Mutex
	to   io.Writer
	torn bool
}

// write is a worker of the inbox. It returns nil only when the line is written.
func (l *lines) write(ctx context.Context, event *webhookverify.Event) error {
	received := time.Now()
	if entry, ok := inbox.FromContext(ctx); ok {
		received = entry.ReceivedAt
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	// The encoder takes line breaks out of the body, so that it stays one line.
	err := encoder.Encode(line{ID: event.ID, ReceivedAt: received.UTC(), Event: event.Name, Body: event.Body})
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", event.ID, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
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
