package webhookverify

import (
	"errors"
	"fmt"
)

// Errors of a delivery, for [errors.Is].
var (
	// ErrMissingSignature means that there is no signature header.
	ErrMissingSignature = errors.New("webhookverify: no signature")
	// ErrMalformedSignature means that the header is not sha256= and 64 lowercase
	// hex digits, or that there are several. The body was not read.
	ErrMalformedSignature = errors.New("webhookverify: malformed signature")
	// ErrSignatureMismatch means that the signature is not that of the body with any
	// of the secrets. The error's text gives a probable cause for your log, if the
	// verifier finds one. It searches at most once a second, after a burst of eight.
	ErrSignatureMismatch = errors.New("webhookverify: signature mismatch")
	// ErrStale means that the event's timestamp is further from now than
	// [WithMaxAge] allows.
	ErrStale = errors.New("webhookverify: too old or too far in the future")
	// ErrReplayed means that the event was handled before. [ReplayStore.Begin]
	// returns it.
	ErrReplayed = errors.New("webhookverify: handled before")
	// ErrInProgress means that the event is being handled right now.
	// [ReplayStore.Begin] returns it.
	ErrInProgress = errors.New("webhookverify: being handled")
	// ErrReplayStoreFull means that a [MemoryReplayStore] is full, and all its events
	// are being handled right now.
	ErrReplayStoreFull = errors.New("webhookverify: replay store is full")
	// ErrBodyTooLarge means that the body exceeds [WithMaxBodyBytes], or the
	// limit of an [http.MaxBytesReader] around it.
	ErrBodyTooLarge = errors.New("webhookverify: body too large")
	// ErrBodyConsumed means that something read the body, or its beginning, before
	// the verifier got the request.
	ErrBodyConsumed = errors.New("webhookverify: the body was already read, by middleware, Bind or FormValue: verify first, or pass the raw bytes to ParseEvent")
	// ErrMalformedEvent means that the signature is right but the body is not an
	// event.
	ErrMalformedEvent = errors.New("webhookverify: malformed event")
	// ErrUnknownEvent means that a [Mux] has no function for the event.
	ErrUnknownEvent = errors.New("webhookverify: no function for the event")
	// ErrMethod means that the request is not a POST.
	ErrMethod = errors.New("webhookverify: not a POST")
	// ErrInvalidSecret means that a value cannot be a webhook's secret, for example
	// because it is empty or in quotes. The error's text says what is wrong and never
	// contains the secret.
	ErrInvalidSecret = errors.New("webhookverify: invalid secret")
)

// Allocated once, so that refusing a request allocates nothing.
var (
	errLength  = fmt.Errorf("%w: it is not 71 bytes long", ErrMalformedSignature)
	errPrefix  = fmt.Errorf("%w: it does not start with sha256=", ErrMalformedSignature)
	errHex     = fmt.Errorf("%w: it is not lowercase hex", ErrMalformedSignature)
	errSeveral = fmt.Errorf("%w: there are several", ErrMalformedSignature)
)
