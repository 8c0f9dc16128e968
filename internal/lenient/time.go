package lenient

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// layouts are RFC 3339 and similar formats. A time without a zone is UTC.
var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999 Z0700",
	"2006-01-02 15:04:05.999999999 MST",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04",
	time.DateOnly,
	time.RFC1123,
	time.RFC1123Z,
}

// Time parses a time in any usual format: RFC 3339, also with a space or without a zone,
// a date, an HTTP date, or seconds or milliseconds since 1970.
func Time(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, !at.IsZero() && at.Year() > 0
		}
	}
	return epoch(text)
}

// epoch parses seconds from 1973 to 5138, or milliseconds from 1973 on. These ranges do
// not overlap.
func epoch(text string) (time.Time, bool) {
	const least, most = 1e8, 1e11
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= least && n < most*1000) || strings.ContainsAny(text, "xX_") {
		return time.Time{}, false
	}
	micros := n * 1e6
	if n >= most {
		micros = n * 1e3
	}
	return time.UnixMicro(int64(math.Round(micros))).UTC(), true
}
