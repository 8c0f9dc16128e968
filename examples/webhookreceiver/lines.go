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
	// Body is the whole signed body, since events may have undocumented fields.
	Body json.RawMessage `json:"body"`
}

// lines writes each event as one line, with one unbuffered write.
type lines struct {
	mu   sync.Mutex
	to   io.Writer
	torn bool // the last write was incomplete
}

// write is the inbox's handler. It returns nil only after the line is written.
func (l *lines) write(ctx context.Context, event *webhookverify.Event) error {
	received := time.Now()
	if entry, ok := inbox.FromContext(ctx); ok {
		received = entry.ReceivedAt
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	// The encoder compacts the body, so that it has no line breaks.
	err := encoder.Encode(line{ID: event.ID, ReceivedAt: received.UTC(), Event: event.Name, Body: event.Body})
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", event.ID, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	data := text.Bytes()
	if l.torn {
		// Start a new line after an incomplete one, for example after a full disk.
		data = append([]byte{'\n'}, data...)
	}
	n, err := l.to.Write(data)
	l.torn = err != nil && (l.torn || n > 0)
	if err != nil {
		return fmt.Errorf("writing event %s: %w", event.ID, err)
	}
	return nil
}
