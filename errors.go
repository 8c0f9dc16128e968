package whozex

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/whozex/whozex-go/internal/wire"
)

// Sentinels for [errors.Is]. An [Error] matches the sentinel of its code or, if the code
// is unknown or missing, of its HTTP status. A parameter that is refused before anything
// is sent matches [ErrMissingAPIKey], [ErrMissingField] or [ErrInvalidParams], as the
// server's refusal would.
var (
	// ErrMissingAPIKey means that there is no API key. Code MISSING_API_KEY.
	ErrMissingAPIKey = errors.New("whozex: no API key")
	// ErrInvalidAPIKey means that the key is unknown or revoked. Code INVALID_API_KEY, status 401.
	ErrInvalidAPIKey = errors.New("whozex: API key unknown or revoked")
	// ErrAPIDisabled means that API access is off for the account. Code API_DISABLED, status 403.
	ErrAPIDisabled = errors.New("whozex: API access is disabled")
	// ErrNotFound means that the user or package does not exist or is not yours. Code NOT_FOUND, status 404.
	ErrNotFound = errors.New("whozex: not found")
	// ErrMissingField means that a required parameter is empty. Code MISSING_FIELD.
	ErrMissingField = errors.New("whozex: required field missing")
	// ErrInvalidParams means that a parameter's value is not allowed. Code INVALID_PARAMS, status 400 or 422.
	ErrInvalidParams = errors.New("whozex: invalid parameter")
	// ErrEmailTaken means that the email is registered already. Code EMAIL_TAKEN, status 409.
	ErrEmailTaken = errors.New("whozex: email is registered already")
	// ErrInsufficientBalance means that the paying balance is too low. Code
	// INSUFFICIENT_BALANCE, status 402.
	ErrInsufficientBalance = errors.New("whozex: insufficient balance")
	// ErrRateLimited means too many requests; nothing was done. Status 429; the API
	// documents neither a code nor a limit.
	ErrRateLimited = errors.New("whozex: rate limited")
	// ErrServer means that the server failed. Status 500 and above.
	ErrServer = errors.New("whozex: server error")
	// ErrOutcomeUnknown means that a mutating call was sent and may or may not have been
	// carried out: do not repeat it, see [OutcomeUnknownError].
	ErrOutcomeUnknown = errors.New("whozex: outcome unknown")
)

// sentinelByCode has the documented codes. A failure with one of them is definite under
// any HTTP status.
var sentinelByCode = map[string]error{
	"MISSING_API_KEY":      ErrMissingAPIKey,
	"INVALID_API_KEY":      ErrInvalidAPIKey,
	"API_DISABLED":         ErrAPIDisabled,
	"NOT_FOUND":            ErrNotFound,
	"MISSING_FIELD":        ErrMissingField,
	"INVALID_PARAMS":       ErrInvalidParams,
	"EMAIL_TAKEN":          ErrEmailTaken,
	"INSUFFICIENT_BALANCE": ErrInsufficientBalance,
}

func sentinelByStatus(status int) error {
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return ErrInvalidParams
	case http.StatusUnauthorized:
		return ErrInvalidAPIKey
	case http.StatusPaymentRequired:
		return ErrInsufficientBalance
	case http.StatusForbidden:
		return ErrAPIDisabled
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrEmailTaken
	case http.StatusTooManyRequests:
		return ErrRateLimited
	}
	if status >= 500 {
		return ErrServer
	}
	return nil
}

// Error is a failure that the server reported: any status outside 2xx, or
// "success": false under 2xx. Use [errors.As] to get it, and [errors.Is] with the
// sentinels to classify it.
type Error struct {
	// Code is the API's error code, such as "NOT_FOUND"; empty if the response has
	// none, such as a proxy's HTML page.
	Code string `json:"code,omitempty"`
	// Message is the API's text, with the API key masked if the server echoed it.
	Message    string `json:"message"`
	StatusCode int    `json:"status_code"`
	Method     string `json:"method"`
	// Path is the path below the base URL, without the query.
	Path string `json:"path"`
	// RetryAfter is the wait that the Retry-After header asks for; 0 if it is missing,
	// invalid or past.
	RetryAfter time.Duration `json:"retry_after,omitzero"`
	// Attempts counts the requests of the call.
	Attempts int  `json:"attempts"`
	Meta     Meta `json:"meta"`
	// Body is the body as received, bounded by [WithMaxResponseBytes]. It may hold
	// secrets, so it is not part of the JSON.
	Body SecretBytes `json:"-"`

	notFromAPI bool // the body is not the API's own envelope
}

// Error returns what failed, without the body and with the API key masked.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "whozex: %s %s: ", e.Method, e.Path)
	if e.Code != "" {
		fmt.Fprintf(&b, "%s (%d)", e.Code, e.StatusCode)
	} else {
		fmt.Fprintf(&b, "status %d", e.StatusCode)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	writeAttempts(&b, e.Attempts)
	return b.String()
}

// Is reports whether target is the sentinel of the error's code or, for an unknown code,
// of its status. Status 429 is always [ErrRateLimited], and 500 and above without a
// known code [ErrServer]. Any other status counts only with the API's own envelope: it
// may come from a proxy.
func (e *Error) Is(target error) bool {
	if e.StatusCode == http.StatusTooManyRequests && target == ErrRateLimited {
		return true
	}
	if sentinel, ok := sentinelByCode[e.Code]; ok {
		return target == sentinel
	}
	sentinel := sentinelByStatus(e.StatusCode)
	if e.notFromAPI && sentinel != ErrServer {
		return false
	}
	return sentinel != nil && target == sentinel
}

// Format implements [fmt.Formatter]: with every verb it prints the text of the error.
func (e *Error) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }

// ResponseError is a 2xx response that cannot be decoded: not JSON, no envelope, no
// data, longer than [WithMaxResponseBytes], or without an amount or id that Err names.
// For a mutating call it is wrapped in an [OutcomeUnknownError]: the bytes may be the
// only copy of a key or password.
type ResponseError struct {
	StatusCode int    `json:"status_code"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	Attempts   int    `json:"attempts"`
	// Body is the body as received, bounded by [WithMaxResponseBytes]. It may hold
	// secrets, so it is not part of the JSON.
	Body SecretBytes `json:"-"`
	// Err is the reason.
	Err error `json:"-"`
}

// Error returns the reason, without the body.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("whozex: %s %s: status %d, cannot decode the response of %d bytes: %v",
		e.Method, e.Path, e.StatusCode, len(e.Body), e.Err)
}

// Unwrap returns Err.
func (e *ResponseError) Unwrap() error { return e.Err }

// Format implements [fmt.Formatter]: with every verb it prints the text of the error.
func (e *ResponseError) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }

// ParamError is an invalid parameter, found before anything was sent. It matches
// [ErrMissingField] or [ErrInvalidParams], as the server's refusal would.
type ParamError struct {
	// Field is the name of the parameter in the API, such as "gb" or "user_id", or of an
	// option, such as "base URL".
	Field string `json:"field"`
	// Reason is what is wrong with its value.
	Reason string `json:"reason"`

	class error
}

// Error returns the parameter and the reason.
func (e *ParamError) Error() string { return "whozex: " + e.Field + " " + e.Reason }

// Unwrap returns the sentinel: [ErrInvalidParams], unless the field was missing.
func (e *ParamError) Unwrap() error {
	if e.class == nil {
		return ErrInvalidParams
	}
	return e.class
}

func missing(field string) error {
	return &ParamError{Field: field, Reason: "is required", class: ErrMissingField}
}

func invalid(field, format string, args ...any) error {
	return &ParamError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// OutcomeUnknownError is a mutating call that may or may not have been carried out: it
// ended with a timeout, a reset, a truncated body, a 5xx, a redirect, a 2xx that cannot be
// decoded, or a cancelled context after sending began. It matches [ErrOutcomeUnknown].
//
// The client has not retried the call. Do not repeat it before the outcome is known:
// [Client.Reconcile] looks for evidence. To resolve it after a restart, store the JSON of
// [OutcomeUnknownError.Reveal], which has all fields except Err. [BeforeSend] passes a
// record to store before the request is sent. The error's own JSON may be logged, since it
// lacks the body.
type OutcomeUnknownError struct {
	Operation Operation `json:"operation"`
	Method    string    `json:"method"`
	// Path is the path below the base URL, without the query.
	Path string `json:"path"`
	// ID is the user or package in the path; empty without one.
	ID string `json:"id,omitempty"`
	// Request is the JSON body that was sent; null without one.
	Request json.RawMessage `json:"request,omitempty"`
	// SentAt is when the last attempt began, by the local clock.
	SentAt time.Time `json:"sent_at"`
	// Until is the latest time at which the request can have been on its way, by the
	// local clock: the end of the attempt or, in a record of [BeforeSend], its timeout.
	// The grace of [Client.Reconcile] begins then, see [WithGrace].
	Until time.Time `json:"until,omitzero"`
	// ServerTime is the server's time at SentAt, from the Date of the previous response;
	// zero without one. With it [Client.Reconcile] does not depend on the local clock.
	ServerTime time.Time `json:"server_time,omitzero"`
	// Attempts counts the requests sent. All but the last provably did nothing.
	Attempts int `json:"attempts"`
	// StatusCode is 0 without a response.
	StatusCode int `json:"status_code,omitempty"`
	// Body is what was received of a response, with its secrets. JSON has it as
	// [redacted]; [OutcomeUnknownError.Reveal] returns the JSON to store.
	Body SecretBytes `json:"body,omitempty"`
	// PackagesBefore is for the caller of [Client.PurchasePackage] to set: the number of
	// packages of the user just before the call. It is valid only if no other purchase
	// for the user was in progress and nobody else buys for the user. It lets
	// [Client.Reconcile] find the purchase. Nil means unknown.
	PackagesBefore *int `json:"packages_before,omitempty"`
	// Err is the cause: an [*Error], a [*ResponseError], or what the connection
	// or the context reported.
	Err error `json:"-"`
}

// Error returns the operation and the cause, without the body.
func (e *OutcomeUnknownError) Error() string {
	cause := "no response"
	if e.Err != nil {
		cause = strings.TrimPrefix(e.Err.Error(), "whozex: ")
	}
	return fmt.Sprintf("whozex: outcome of %s unknown: %s", e.Operation, cause)
}

// Unwrap makes both [ErrOutcomeUnknown] and the cause visible to [errors.Is].
func (e *OutcomeUnknownError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrOutcomeUnknown}
	}
	return []error{ErrOutcomeUnknown, e.Err}
}

// Reveal returns the JSON to store, which has the body with its secrets. [json.Unmarshal]
// decodes it, and also the JSON that earlier versions stored.
func (e *OutcomeUnknownError) Reveal() (json.RawMessage, error) {
	type plain OutcomeUnknownError
	return json.Marshal(struct {
		plain
		Body []byte `json:"body,omitempty"`
	}{plain(*e), e.Body})
}

// Format implements [fmt.Formatter]: with every verb it prints the text of the error.
func (e *OutcomeUnknownError) Format(f fmt.State, verb rune) { formatText(f, verb, e.Error()) }

// callError is a call that ended without a complete response.
type callError struct {
	method, path string
	attempts     int
	cause        error
}

func (e *callError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "whozex: %s %s: ", e.method, e.path)
	if e.attempts == 0 {
		b.WriteString("not sent: ")
	}
	b.WriteString(strings.TrimPrefix(e.cause.Error(), "whozex: "))
	writeAttempts(&b, e.attempts)
	return b.String()
}

func (e *callError) Unwrap() error { return e.cause }

func writeAttempts(w io.Writer, n int) {
	if n > 1 {
		fmt.Fprintf(w, " (%d attempts)", n)
	}
}

// sanitize makes a server's text fit for one line of a log: it masks the keys, replaces
// control characters by spaces, and truncates it.
func sanitize(text string, keys ...*wire.Key) string {
	const most = 512
	for _, key := range keys {
		if key != nil {
			text = strings.ReplaceAll(text, key.Value, redacted)
		}
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		cut := most
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return text
}
