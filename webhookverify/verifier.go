package webhookverify

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// DefaultMaxBodyBytes bounds a body unless [WithMaxBodyBytes] does.
const DefaultMaxBodyBytes = 1 << 20

// Verifier checks events with a webhook's secret. Make one with [New]; it is
// safe for concurrent use, and prints without the secret.
type Verifier struct{ *settings }

// settings are behind a pointer, where no verb of fmt finds the secrets.
type settings struct {
	secret   string
	previous string // empty for none
	maxAge   time.Duration
	maxBytes int64
	now      func() time.Time
	replays  ReplayStore
	report   func(*http.Request, error)
}

// Option changes a default of [New], which refuses a value that makes no sense.
type Option func(*settings) error

// New returns a verifier for the secret that the registration of the webhook
// gave. The secret's text is the key as it stands; an empty one, or one with
// blanks around it, is [ErrInvalidSecret].
func New(secret string, opts ...Option) (*Verifier, error) {
	s := &settings{
		secret:   secret,
		maxBytes: DefaultMaxBodyBytes,
		now:      time.Now,
		report:   func(*http.Request, error) {},
	}
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	for _, opt := range opts {
		if err := opt(s); err != nil {
			return nil, err
		}
	}
	return &Verifier{s}, nil
}

// WithPreviousSecret also takes what was signed with a former secret, so that
// secrets can change without a gap.
func WithPreviousSecret(secret string) Option {
	return func(s *settings) error {
		if err := checkSecret(secret); err != nil {
			return fmt.Errorf("%w (the previous one)", err)
		}
		s.previous = secret
		return nil
	}
}

// WithMaxAge refuses events whose timestamp is further than d from now, in
// either direction, with [ErrStale], and those without a readable timestamp with
// [ErrMalformedEvent]. It is off unless asked for: the API documents no times at
// which an event is sent again, so that a late one may be your only one.
func WithMaxAge(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("webhookverify: max age must be positive, not %s", d)
		}
		s.maxAge = d
		return nil
	}
}

// WithMaxBodyBytes bounds the body of a request, [DefaultMaxBodyBytes] if not
// given. A longer one is [ErrBodyTooLarge].
func WithMaxBodyBytes(n int64) Option {
	return func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("webhookverify: max body bytes must be positive, not %d", n)
		}
		s.maxBytes = n
		return nil
	}
}

// WithClock sets the clock for [WithMaxAge], time.Now if not given.
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		if now == nil {
			return errors.New("webhookverify: the clock is nil")
		}
		s.now = now
		return nil
	}
}

// WithReplayStore lets [Verifier.Handler] handle each event once, as far as the
// store remembers. Deliveries with the same body are the same event, since the
// API documents no other identity.
func WithReplayStore(store ReplayStore) Option {
	return func(s *settings) error {
		if store == nil {
			return errors.New("webhookverify: the replay store is nil")
		}
		if memory, ok := store.(*MemoryReplayStore); ok && memory.invalid != nil {
			return memory.invalid
		}
		s.replays = store
		return nil
	}
}

// WithErrorHandler tells report why [Verifier.Handler] refused a request, or
// what its function returned or panicked with, for your log: the sender is told
// a status and nothing else.
func WithErrorHandler(report func(*http.Request, error)) Option {
	return func(s *settings) error {
		if report == nil {
			return errors.New("webhookverify: the error handler is nil")
		}
		s.report = report
		return nil
	}
}

// Verify checks the signature, the value of [SignatureHeader], of a body as it
// came, and with [WithMaxAge] the event's time. Errors are those of the function
// [Verify], [ErrStale] and [ErrMalformedEvent].
func (v *Verifier) Verify(body []byte, signature string) error {
	claimed, err := parseSignature(signature)
	if err != nil {
		return err
	}
	if err := v.match(body, claimed); err != nil || v.maxAge == 0 {
		return err
	}
	event, err := parseEvent(body)
	if err != nil {
		return err
	}
	return v.checkAge(event)
}

func (v *Verifier) match(body []byte, claimed digest) error {
	err := match(body, claimed, v.secret)
	if err != nil && v.previous != "" {
		err = match(body, claimed, v.previous)
	}
	return err
}

func (v *Verifier) checkAge(event *Event) error {
	switch {
	case v.maxAge == 0:
		return nil
	case event.Timestamp.IsZero():
		return fmt.Errorf("%w: no timestamp to tell its age by", ErrMalformedEvent)
	case v.now().Sub(event.Timestamp).Abs() > v.maxAge:
		return ErrStale
	}
	return nil
}

// identity tells a body from others. It is made with the current secret whatever
// the signature was made with, so that it outlives a change of secrets.
func (v *Verifier) identity(body []byte) string {
	sum := authenticate(body, v.secret)
	return hex.EncodeToString(sum[:])
}

// Format implements [fmt.Formatter] without the secrets, whatever the verb.
func (Verifier) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhookverify.Verifier") }

// LogValue implements [slog.LogValuer] without the secrets.
func (Verifier) LogValue() slog.Value { return slog.StringValue("webhookverify.Verifier") }
