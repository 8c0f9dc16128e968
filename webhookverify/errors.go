package webhookverify

import (
	"errors"
	"fmt"
)

// What is wrong with a delivery, for [errors.Is].
var (
	// ErrMissingSignature means that there is no signature header.
	ErrMissingSignature = errors.New("webhookverify: no signature")
	// ErrMalformedSignature means that the header is not sha256= and 64 lowercase
	// hex digits, or that there are several. The body was not looked at.
	ErrMalformedSignature = errors.New("webhookverify: malformed signature")
	// ErrSignatureMismatch means that body, signature and secret do not belong
	// together. The error's text has a reason where one can be found, for your
	// log; reasons are looked for a few times at once and then once a second.
	ErrSignatureMismatch = errors.New("webhookverify: signature mismatch")
	// ErrStale means that the event's time is further from now than [WithMaxAge]
	// allows.
	ErrStale = errors.New("webhookverify: too old or too far in the future")
	// ErrReplayed means that the event was handled before. [ReplayStore.Begin]
	// returns it.
	ErrReplayed = errors.New("webhookverify: handled before")
	// ErrInProgress means that the event is being handled right now.
	// [ReplayStore.Begin] returns it.
	ErrInProgress = errors.New("webhookverify: being handled")
	// ErrReplayStoreFull means that a [MemoryReplayStore] is full of events that
	// are all being handled right now.
	ErrReplayStoreFull = errors.New("webhookverify: replay store is full")
	// ErrBodyTooLarge means that the body exceeds [WithMaxBodyBytes], or the
	// limit of an [http.MaxBytesReader] around it.
	ErrBodyTooLarge = errors.New("webhookverify: body too large")
	// ErrBodyConsumed means that the body, or its beginning, was read before the
	// verifier got the request.
	ErrBodyConsumed = errors.New("webhookverify: the body was read before, by middleware, Bind or FormValue: verify first, or hand the raw bytes to ParseEvent")
	// ErrMalformedEvent means that the body, though genuine, is no event.
	ErrMalformedEvent = errors.New("webhookverify: malformed event")
	// ErrUnknownEvent means that a [Mux] has no function for the event.
	ErrUnknownEvent = errors.New("webhookverify: no function for the event")
	// ErrMethod means that the request is not a POST.
	ErrMethod = errors.New("webhookverify: not a POST")
	// ErrInvalidSecret means that a secret cannot be meant, say because it is
	// empty or has quotes around it. The error's text names what is wrong, never
	// the secret.
	ErrInvalidSecret = errors.New("webhookverify: invalid secret")
)

// These are made once, so that refusing costs nothing.
var (
	errLength  = fmt.Errorf("%w: it is not 71 bytes long", ErrMalformedSignature)
	errPrefix  = fmt.Errorf("%w: it does not start with sha256=", ErrMalformedSignature)
	errHex     = fmt.Errorf("%w: it is not lowercase hex", ErrMalformedSignature)
	errSeveral = fmt.Errorf("%w: there are several", ErrMalformedSignature)
)
