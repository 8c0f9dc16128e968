package whozextest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

const (
	maxBody   = 1 << 20
	maxGB     = 1_000_000
	maxAmount = 1_000_000_000_000
)

// call is a parsed request.
type call struct {
	seq    int
	id     string // of the path
	query  url.Values
	fields map[string]json.RawMessage // of the body
	broken *failure                   // set if the body has no fields
}

func newCall(r *http.Request, id string, body []byte) *call {
	c := &call{id: id, query: r.URL.Query()}
	switch {
	case len(body) > maxBody:
		c.broken = invalidParam("the body is longer than %d bytes", maxBody)
	case len(bytes.TrimSpace(body)) > 0:
		if json.Unmarshal(body, &c.fields) != nil || c.fields == nil {
			c.broken = invalidParam("the body is not a JSON object")
		}
	}
	return c
}

func readBody(r *http.Request) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r.Body, maxBody+1))
}

func (c *call) has(name string) bool {
	raw := bytes.TrimSpace(c.fields[name])
	return len(raw) > 0 && string(raw) != "null"
}

// text returns a string field; empty if it is missing.
func (c *call) text(name string) (string, *failure) {
	if c.broken != nil || !c.has(name) {
		return "", c.broken
	}
	var text string
	if json.Unmarshal(c.fields[name], &text) != nil {
		return "", invalidParam("%s must be a string", name)
	}
	return text, nil
}

// requiredText returns a string field that must not be blank.
func (c *call) requiredText(name string) (string, *failure) {
	text, failed := c.text(name)
	if failed == nil && strings.TrimSpace(text) == "" {
		failed = missingField(name)
	}
	return text, failed
}

// amount returns a required amount of money above zero.
func (c *call) amount(name string) (decimal.Decimal, *failure) {
	if c.broken != nil {
		return decimal.Decimal{}, c.broken
	}
	if !c.has(name) {
		return decimal.Decimal{}, missingField(name)
	}
	d, ok := parseNumber(string(c.fields[name]))
	if !ok || !d.IsPositive() || d.GreaterThanOrEqual(decimal.NewFromInt(maxAmount)) || !d.Equal(d.Truncate(8)) {
		return decimal.Decimal{}, invalidParam("%s must be a positive number", name)
	}
	return d, nil
}

// gigabytes returns a required whole number of GB.
func (c *call) gigabytes() (decimal.Decimal, *failure) {
	if c.broken != nil {
		return decimal.Decimal{}, c.broken
	}
	if !c.has("gb") {
		return decimal.Decimal{}, missingField("gb")
	}
	return wholeGB(string(c.fields["gb"]))
}

func wholeGB(text string) (decimal.Decimal, *failure) {
	d, ok := parseNumber(text)
	if !ok || !d.IsInteger() || d.LessThan(decimal.NewFromInt(1)) || d.GreaterThan(decimal.NewFromInt(maxGB)) {
		return decimal.Decimal{}, invalidParam("gb must be an integer from 1 to %d", maxGB)
	}
	return d, nil
}

// parseNumber parses a JSON number of bounded length and exponent.
func parseNumber(text string) (decimal.Decimal, bool) {
	if text == "" || len(text) > 64 || !strings.ContainsRune("-0123456789", rune(text[0])) {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(text)
	if err != nil || d.Exponent() > 20 || d.Exponent() < -64 {
		return decimal.Decimal{}, false
	}
	return d, true
}

// page reads the parameters of a list.
func (c *call) page() (number, limit int, failed *failure) {
	if number, failed = c.integer("page", 1, 1<<31-1); failed == nil {
		limit, failed = c.integer("limit", 20, 100)
	}
	return number, limit, failed
}

func (c *call) integer(name string, otherwise, highest int) (int, *failure) {
	if !c.query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(c.query.Get(name))
	if err != nil || n < 1 || n > highest {
		return 0, invalidParam("%s must be an integer from 1 to %d", name, highest)
	}
	return n, nil
}
