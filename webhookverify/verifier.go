package webhookverify

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// DefaultMaxBodyBytes is the default of [WithMaxBodyBytes]: 1 MiB.
const DefaultMaxBodyBytes = 1 << 20

// Verifier checks events with the secrets of one webhook, or of several that share a
// URL. Make one with [New]. It is safe for concurrent use and prints without its
// secrets.
type Verifier struct{ *settings }

// settings is behind a pointer, so that no verb of fmt prints the secrets.
type settings struct {
	keys      []*key
	maxAge    time.Duration
	maxBytes  int64
	now       func() time.Time
	eventID   func(*Event) string
	replays   ReplayStore
	formerIDs bool
	report    func(*http.Request, error)
	reasons   reasonLimiter
}

// New returns a verifier for the secret that the API returned when the webhook was
// created. The secret's text is the key, verbatim; [ErrInvalidSecret] means that it
// cannot be a secret. With [WithSecrets] the secret may be empty: then only the named
// ones count.
func New(secret string, opts ...Option) (*Verifier, error) {
	s := &settings{
		maxBytes:  DefaultMaxBodyBytes,
		now:       time.Now,
		formerIDs: true,
		report:    func(*http.Request, error) {},
	}
	var own error
	if secret == "" {
		own = checkSecret(secret)
	} else if err := s.addKey("", secret); err != nil {
		return nil, err
	}
	for _, opt := range opts {
		if err := opt(s); err != nil {
			return nil, err
		}
	}
	if own != nil && !s.named() {
		return nil, own
	}
	return &Verifier{s}, nil
}

// addKey adds a secret of a webhook. One webhook may have the same secret twice, as
// before a rotation; two webhooks may not, since the signature would match both.
func (s *settings) addKey(webhook, secret string) error {
	if err := checkSecret(secret); err != nil {
		return err
	}
	for _, k := range s.keys {
		switch {
		case k.secret != secret:
		case k.webhook == webhook:
			return nil
		default:
			return fmt.Errorf("%w: webhooks %q and %q have the same", ErrInvalidSecret, k.webhook, webhook)
		}
	}
	s.keys = append(s.keys, newKey(webhook, secret))
	return nil
}

func (s *settings) named() bool {
	for _, k := range s.keys {
		if k.webhook != "" {
			return true
		}
	}
	return false
}

// Verify checks signature, the value of [SignatureHeader], against a body as it
// arrived, and with [WithMaxAge] the event's timestamp. Without WithMaxAge it
// allocates nothing. Errors are those of the function [Verify], [ErrStale] and
// [ErrMalformedEvent]. [Verifier.ParseEvent] returns the event too.
func (v *Verifier) Verify(body []byte, signature string) error {
	claimed, err := parseSignature(signature)
	if err != nil {
		return err
	}
	if v.match(body, claimed) == nil {
		return ErrSignatureMismatch
	}
	if v.maxAge == 0 {
		return nil
	}
	_, err = v.parse(body)
	return err
}

// match returns the key that made the signature, nil if none did.
func (v *Verifier) match(body []byte, claimed digest) *key {
	for _, k := range v.keys {
		if k.signed(body, claimed) {
			return k
		}
	}
	return nil
}

func (v *Verifier) checkAge(event *Event) error {
	switch {
	case v.maxAge == 0:
		return nil
	case event.Timestamp.IsZero():
		return fmt.Errorf("%w: no valid timestamp", ErrMalformedEvent)
	case v.now().Sub(event.Timestamp).Abs() > v.maxAge:
		return ErrStale
	}
	return nil
}

// Format implements [fmt.Formatter]. It prints no secret, whatever the verb.
func (Verifier) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhookverify.Verifier") }

// LogValue implements [slog.LogValuer]. It contains no secret.
func (Verifier) LogValue() slog.Value { return slog.StringValue("webhookverify.Verifier") }
