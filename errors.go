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
)

// The sentinels, for [errors.Is]. A server's error matches the sentinel of its
// code; one whose code is unknown or missing matches by its HTTP status, given
// here after the code. Errors found before anything is sent match
// [ErrMissingAPIKey], [ErrMissingField] or [ErrInvalidParams] just as the
// server's would.
var (
	// ErrMissingAPIKey means that no key was given. Code MISSING_API_KEY.
	ErrMissingAPIKey = errors.New("whozex: no API key")
	// ErrInvalidAPIKey means that the key is unknown or revoked. Code INVALID_API_KEY, status 401.
	ErrInvalidAPIKey = errors.New("whozex: API key unknown or revoked")
	// ErrAPIDisabled means that API access is off for the account. Code API_DISABLED, status 403.
	ErrAPIDisabled = errors.New("whozex: API access is disabled")
	// ErrNotFound means that the thing does not exist or is not yours. Code NOT_FOUND, status 404.
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
	// ErrRateLimited means that there were too many requests; nothing was done.
	// Status 429; the API's page gives no code and no figures.
	ErrRateLimited = errors.New("whozex: rate limited")
	// ErrServer means that the server failed. Status 500 and above.
	ErrServer = errors.New("whozex: server error")
	// ErrOutcomeUnknown means that a mutating call was sent and that
	// nothing tells whether the server carried it out: do not repeat it blindly,
	// see [OutcomeUnknownError].
	ErrOutcomeUnknown = errors.New("whozex: outcome unknown")
)

// The documented codes. A failure with one of them is definite under any HTTP
// status.
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
// "success": false under 2xx. Get at it with [errors.As], and ask what it means
// with [errors.Is] and the sentinels.
type Error struct {
	// Code is the API's error code, such as "NOT_FOUND"; empty when the answer
	// held none, as a proxy's HTML page does.
	Code string `json:"code,omitempty"`
	// Message is the API's text, with the API key masked if the server echoed it.
	Message    string `json:"message"`
	StatusCode int    `json:"status_code"`
	Method     string `json:"method"`
	// Path is the path below the base URL, without the query.
	Path string `json:"path"`
	// RetryAfter is what the answer's Retry-After asked for; 0 when absent,
	// unreadable or past.
	RetryAfter time.Duration `json:"retry_after,omitzero"`
	// Attempts counts the requests this call sent, the failed one included.
	Attempts int  `json:"attempts"`
	Meta     Meta `json:"meta"`
	// Body is the answer as it came, bounded by [WithMaxResponseBytes]. It may hold
	// secrets, and so is not part of the JSON.
	Body []byte `json:"-"`

	notFromAPI bool // the body is not the API's own envelope
}

// Error says what failed, without the body and with the API key masked.
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

// Is reports whether target is the sentinel of the error's code or, for an
// unknown code, of its status. Status 429 is always [ErrRateLimited], and 500 and
// above without a known code [ErrServer]. Any other status says nothing by itself
// if the body is not the API's: it may be the page of a proxy.
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

// GoString keeps the body, which may hold a secret, out of %#v.
func (e *Error) GoString() string { return e.Error() }

// ResponseError is a 2xx response that cannot be read: not JSON, no envelope, no
// data, an amount or an id that is missing or unreadable, which Err names, or more
// than [WithMaxResponseBytes]. On a mutating call it comes inside an
// [OutcomeUnknownError]: the bytes may be the only copy of a key or a password.
type ResponseError struct {
	StatusCode int    `json:"status_code"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	Attempts   int    `json:"attempts"`
	// Body is the answer as it came, bounded by [WithMaxResponseBytes]. It may hold
	// secrets, and so is not part of the JSON.
	Body []byte `json:"-"`
	// Err is what was wrong with it.
	Err error `json:"-"`
}

// Error says what was wrong with the answer, without its body.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("whozex: %s %s: status %d with an unreadable answer of %d bytes: %v",
		e.Method, e.Path, e.StatusCode, len(e.Body), e.Err)
}

// Unwrap returns what was wrong with the answer.
func (e *ResponseError) Unwrap() error { return e.Err }

// GoString keeps the body, which may hold a secret, out of %#v.
func (e *ResponseError) GoString() string { return e.Error() }

// ParamError is a parameter that was refused before anything was sent. It
// matches [ErrMissingField] or [ErrInvalidParams] with [errors.Is], as the
// server's own refusal would.
type ParamError struct {
	// Field is the parameter's name in the API, such as "gb" or "user_id", or of
	// the option, such as "base URL".
	Field string `json:"field"`
	// Reason says what is wrong with its value.
	Reason string `json:"reason"`

	class error
}

// Error names the parameter and what is wrong with it.
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

// OutcomeUnknownError is a call that may have spent money or changed something,
// without an answer that says so: a time-out, a reset, a body cut short, a 5xx,
// a redirect, a 2xx that cannot be read, a cancel after sending began. It
// matches [ErrOutcomeUnknown].
//
// It was not sent again and must not be repeated before it is known what became
// of it: [Client.Reconcile] looks for traces. The fields are exported and carry
// over JSON (all but Err), so that a program can store an unknown outcome and
// settle it after a restart; [BeforeSend] gives it one to store beforehand.
type OutcomeUnknownError struct {
	Operation Operation `json:"operation"`
	Method    string    `json:"method"`
	// Path is the path below the base URL, without the query.
	Path string `json:"path"`
	// ID is the user or package that the call was about; empty for calls that
	// name none.
	ID string `json:"id,omitempty"`
	// Request is the JSON body that was sent; null when there was none.
	Request json.RawMessage `json:"request,omitempty"`
	// SentAt is when the attempt in doubt began, by the local clock.
	SentAt time.Time `json:"sent_at"`
	// Until is when the request can last have been on its way, by the local clock:
	// when the attempt ended or, in a record of [BeforeSend], when it will have
	// timed out. What [Client.Reconcile] waits for, see [WithGrace], begins then.
	Until time.Time `json:"until,omitzero"`
	// ServerTime is the server's time at SentAt, by the Date of the last response
	// before; zero if there was none. With it [Client.Reconcile] finds the time of a
	// stored call even if the local clock was wrong.
	ServerTime time.Time `json:"server_time,omitzero"`
	// Attempts counts the requests sent. All but the last are known to have done
	// nothing.
	Attempts int `json:"attempts"`
	// StatusCode is 0 when no answer came.
	StatusCode int `json:"status_code,omitempty"`
	// Body holds whatever bytes of an answer arrived, secrets too: store the JSON of
	// this error, and log its text.
	Body []byte `json:"body,omitempty"`
	// PackagesBefore is for the caller of [Client.PurchasePackage] to set: how many
	// packages the user had just before, if it was counted with no other purchase
	// for this user under way and nobody else buys for them. It lets
	// [Client.Reconcile] find the purchase; nil decides nothing.
	PackagesBefore *int `json:"packages_before,omitempty"`
	// Err is the cause: an [*Error], a [*ResponseError], or what the connection
	// or the context reported.
	Err error `json:"-"`
}

// Error says which call is in doubt and why, without its body.
func (e *OutcomeUnknownError) Error() string {
	cause := "no answer"
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

// GoString keeps the body, which may hold a secret, out of %#v.
func (e *OutcomeUnknownError) GoString() string { return e.Error() }

// callError is a call that ended without a whole answer.
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

// tidy makes a server's text fit for one line of a log: the keys masked,
// control characters blanked, and no longer than anyone would read.
func sanitize(text string, keys ...*apiKey) string {
	const most = 512
	for _, key := range keys {
		if key != nil {
			text = strings.ReplaceAll(text, key.value, redacted)
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
