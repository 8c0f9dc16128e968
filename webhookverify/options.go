package webhookverify

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Option changes a default of [New]. New returns an error for an invalid value.
type Option func(*settings) error

// WithPreviousSecret also accepts events signed with a former secret, so that the
// secret of [New] can be rotated without losing events. It may be given more than
// once.
func WithPreviousSecret(secret string) Option {
	return func(s *settings) error {
		if err := s.addKey("", secret); err != nil {
			return fmt.Errorf("%w (the previous one)", err)
		}
		return nil
	}
}

// WithSecrets accepts the events of several webhooks at one URL. The map's keys are
// names of your choice, such as the webhook's id; [Event.Webhook] is the one that
// matched. To rotate secrets give the option twice, so that a name has two:
//
//	webhookverify.New("", webhookverify.WithSecrets(current), webhookverify.WithSecrets(previous))
//
// A forged request costs one HMAC for each secret.
func WithSecrets(secrets map[string]string) Option {
	return func(s *settings) error {
		if len(secrets) == 0 {
			return fmt.Errorf("%w: WithSecrets has none", ErrInvalidSecret)
		}
		for _, webhook := range slices.Sorted(maps.Keys(secrets)) {
			if webhook == "" {
				return errors.New("webhookverify: a webhook's name is empty")
			}
			if err := s.addKey(webhook, secrets[webhook]); err != nil {
				return fmt.Errorf("%w (webhook %q)", err, webhook)
			}
		}
		return nil
	}
}

// WithMaxAge refuses events whose timestamp is more than d before or after now with
// [ErrStale], and events without a valid timestamp with [ErrMalformedEvent]. It is
// off by default: the API documents no retry schedule, so a late delivery may be the
// only one you get.
func WithMaxAge(d time.Duration) Option {
	return func(s *settings) error {
		if d <= 0 {
			return fmt.Errorf("webhookverify: max age must be positive, not %s", d)
		}
		s.maxAge = d
		return nil
	}
}

// WithMaxBodyBytes bounds the body of a request, [DefaultMaxBodyBytes] by
// default. A longer one is [ErrBodyTooLarge].
func WithMaxBodyBytes(n int64) Option {
	return func(s *settings) error {
		if n <= 0 {
			return fmt.Errorf("webhookverify: max body bytes must be positive, not %d", n)
		}
		s.maxBytes = n
		return nil
	}
}

// WithClock sets the clock for [WithMaxAge], time.Now by default.
func WithClock(now func() time.Time) Option {
	return func(s *settings) error {
		if now == nil {
			return errors.New("webhookverify: the clock is nil")
		}
		s.now = now
		return nil
	}
}

// WithReplayStore lets [Verifier.Handler] and [Verifier.Once] handle each event
// once, as long as the store remembers it. Deliveries with the same [Event.ID] are
// the same event.
//
// Versions before 0.2.0 derived the ID from the secret. Events are claimed by that
// former ID too, so that entries in a shared store stay valid and a replica of such
// a version can run beside this one. This doubles the calls to the store;
// [WithoutFormerIDs] turns it off. A [MemoryReplayStore] needs no former IDs.
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

// WithoutFormerIDs leaves out the IDs of versions before 0.2.0, see
// [WithReplayStore]. Use it with a new store, or once no version before 0.2.0 runs
// and the store has forgotten what they committed.
func WithoutFormerIDs() Option {
	return func(s *settings) error {
		s.formerIDs = false
		return nil
	}
}

// WithEventID takes an event's ID from id instead of the body's hash. Use it if
// redeliveries of one event differ in their bodies, for example in the timestamp, or
// if two events can have equal bodies. If id returns an empty string, the body's hash
// is used. The event that id receives is complete except for its ID. id must be safe
// for concurrent use.
func WithEventID(id func(*Event) string) Option {
	return func(s *settings) error {
		if id == nil {
			return errors.New("webhookverify: the function for event IDs is nil")
		}
		s.eventID = id
		return nil
	}
}

// WithErrorHandler passes to report, for your log, why [Verifier.Handler] refused a
// request, and what its function returned or panicked with. The response itself has
// only the status. [Verifier.Once] has no request and passes an empty one with its
// context.
func WithErrorHandler(report func(*http.Request, error)) Option {
	return func(s *settings) error {
		if report == nil {
			return errors.New("webhookverify: the error handler is nil")
		}
		s.report = report
		return nil
	}
}
