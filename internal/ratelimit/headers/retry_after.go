package headers

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/whozex/whozex-go/internal/lenient"
)

// RetryAfter reads seconds or a date, as HTTP has them, and what some servers send
// instead: fractions of seconds, and seconds or milliseconds since 1970. It returns 0 if
// there is nothing to wait for.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	const longest = 1e8 // in seconds; more is a time
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil && (seconds < longest || seconds > 1e14) || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(math.MaxInt64/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	known := err == nil
	if !known {
		at, known = lenient.Time(value)
	}
	if known {
		return max(time.Until(at), 0)
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds > 0 && seconds < longest {
		return time.Duration(math.Ceil(seconds*1000)) * time.Millisecond
	}
	return 0
}
