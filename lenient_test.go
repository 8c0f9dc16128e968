package whozex_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// oddCase is a response that differs from the documentation, and the expected result.
type oddCase struct {
	name   string
	op     whozex.Operation
	status int // 200 if 0
	header string
	gzip   int // how often the body is compressed
	body   string
	then   []string // the responses to a retry or to the next page

	fields   map[string]string // of the result, by JSON path
	unread   []string
	raw      string // of the first item of a list, "" for any
	is       error  // the error matches it
	isNot    []error
	text     string // in the error
	code     string // of an *Error
	unknown  bool   // the outcome is unknown
	requests int    // if 0, the number of responses
	wait     time.Duration
	longest  time.Duration // wait, if it is not exact
}

// opAllUsers stands for AllUsers, which makes several requests.
const opAllUsers whozex.Operation = "AllUsers"

func (c oddCase) call(ctx context.Context, client *whozex.Client) (any, error) {
	if c.op == opAllUsers {
		users, err := whozex.Collect(client.AllUsers(ctx, whozex.ListUsersParams{}))
		return &whozex.Page[whozex.User]{Items: users}, err
	}
	for _, op := range operations {
		if op.op == c.op {
			return op.call(ctx, client)
		}
	}
	panic("no such operation: " + c.op)
}

// response returns the n-th response, from 0.
func (c oddCase) response(n int) (status int, body string) {
	switch {
	case n > 0 && len(c.then) == 0:
		return 500, "asked again"
	case n > 0:
		return 200, c.then[min(n, len(c.then))-1]
	}
	body = c.body
	for range c.gzip {
		body = compressed(body)
	}
	return max(c.status, 200), body
}

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// TestOddResponses runs the table in lenient_cases_test.go over HTTP, and cases with waits
// on a virtual clock.
func TestOddResponses(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	cases := 0
	for _, group := range oddResponses {
		t.Run(group.comes, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					require.False(t, names[t.Name()], "another case has this name")
					names[t.Name()] = true
					cases++
					if c.wait > 0 {
						synctest.Test(t, c.runInProcess)
						return
					}
					c.runOverHTTP(t)
				})
			}
		})
	}
	t.Logf("%d cases in %d rows", cases, len(oddResponses))
}

func (c oddCase) options() []whozex.Option {
	return []whozex.Option{whozex.WithMaxRetries(len(c.then)), whozex.WithMaxResponseBytes(1 << 20)}
}

func (c oddCase) runOverHTTP(t *testing.T) {
	requests := 0
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Accept-Encoding"))
		if name, value, _ := strings.Cut(c.header, ": "); name != "" {
			w.Header().Set(name, value)
		}
		status, body := c.response(requests)
		requests++
		respond(w, status, body)
	}, append(c.options(), whozex.WithHTTPClient(&http.Client{Transport: transport}))...)
	got, err := c.call(t.Context(), client)
	c.check(t, got, err, requests)
}

func (c oddCase) runInProcess(t *testing.T) {
	requests := 0
	client := over(t, func(req *http.Request) (*http.Response, error) {
		status, body := c.response(requests)
		requests++
		name, value, _ := strings.Cut(c.header, ": ")
		return reply(req, status, body, name, value), nil
	}, c.options()...)
	began := time.Now()
	got, err := c.call(t.Context(), client)
	c.check(t, got, err, requests)
	assert.GreaterOrEqual(t, time.Since(began), c.wait)
	assert.LessOrEqual(t, time.Since(began), max(c.wait, c.longest))
}

func (c oddCase) check(t *testing.T, got any, err error, requests int) {
	t.Helper()
	wanted := c.requests
	if wanted == 0 {
		wanted = 1 + len(c.then)
	}
	assert.Equal(t, wanted, requests, "requests")
	if c.fields == nil {
		c.checkError(t, err)
		return
	}
	require.NoError(t, err)
	assert.Equal(t, c.unread, got.(result).Unread())
	values := valuesOf(got)
	for path, want := range c.fields {
		assert.Equal(t, want, values[path], path)
	}
	if c.op == opAllUsers || requests > 1 {
		return
	}
	raw := string(got.(result).RawJSON())
	assert.True(t, strings.Contains(c.body, raw) || strings.Contains(c.body, strings.Trim(quoted(raw), `"`)), "the raw JSON: %s", raw)
	if c.raw != "" {
		assert.Equal(t, c.raw, values["raw"])
	}
}

func (c oddCase) checkError(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	assert.ErrorContains(t, err, c.text)
	if c.is != nil {
		assert.ErrorIs(t, err, c.is)
	}
	for _, other := range c.isNot {
		assert.NotErrorIs(t, err, other)
	}
	assert.Equal(t, c.unknown, errors.Is(err, whozex.ErrOutcomeUnknown), "the outcome is unknown: %v", err)
	var body []byte
	refused, isRefused := errors.AsType[*whozex.Error](err)
	unreadable, isUnreadable := errors.AsType[*whozex.ResponseError](err)
	unknown, isUnknown := errors.AsType[*whozex.OutcomeUnknownError](err)
	switch {
	case isRefused:
		assert.Equal(t, c.code, refused.Code)
		assert.Equal(t, max(c.status, 200), refused.StatusCode)
		body = refused.Body
	case isUnreadable:
		body = unreadable.Body
	case isUnknown:
		body = unknown.Body
	default:
		require.ErrorContains(t, err, "truncated")
		return
	}
	assert.Equal(t, c.code != "", isRefused && refused.Code != "", "%v", err)
	assert.Equal(t, c.body[:min(len(c.body), 1<<20)], string(body), "what cannot be read stays whole in the error")
}

// valuesOf returns the fields of a result as text, by JSON path. For a list it adds the
// number of items and the RawJSON of the first, for credentials the URLs.
func valuesOf(got any) map[string]string {
	found := map[string]reflect.Value{}
	leaves(reflect.ValueOf(got), "", found)
	values := map[string]string{}
	for path, v := range found {
		values[path] = textOf(v)
	}
	switch got := got.(type) {
	case *whozex.Page[whozex.User]:
		values["count"] = fmt.Sprint(len(got.Items))
		if len(got.Items) > 0 {
			values["raw"] = string(got.Items[0].RawJSON())
		}
	case *whozex.Page[whozex.Transaction]:
		values["count"] = fmt.Sprint(len(got.Items))
		if len(got.Items) > 0 {
			values["raw"] = string(got.Items[0].RawJSON())
		}
	case *whozex.Credentials:
		values["url"] = "none"
		if address, err := got.HTTPProxyURL(); err == nil {
			values["url"] = address.String()
		}
	}
	return values
}

func textOf(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case decimal.Decimal:
		return value.String()
	case decimal.NullDecimal:
		if !value.Valid {
			return "null"
		}
		return value.Decimal.String()
	case time.Time:
		if value.IsZero() {
			return ""
		}
		return value.UTC().Format(time.RFC3339Nano)
	}
	if v.Kind() == reflect.String {
		return v.String() // reveals secrets
	}
	return fmt.Sprint(v.Interface())
}

// with returns data with other JSON as the values of some fields, or without the field if
// that is "".
func with(data string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		before, rest, found := strings.Cut(data, `"`+pairs[i]+`":`)
		if !found {
			panic(pairs[i])
		}
		var old json.RawMessage
		decoder := json.NewDecoder(strings.NewReader(rest))
		if err := decoder.Decode(&old); err != nil {
			panic(err)
		}
		rest = rest[decoder.InputOffset():]
		if pairs[i+1] == "" {
			data = before + strings.TrimPrefix(rest, ",")
			continue
		}
		data = before + `"` + pairs[i] + `":` + pairs[i+1] + rest
	}
	return data
}
