package whozex_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// jsonIn is the JSON of a body without whitespace, mark and quotes around it.
func jsonIn(body []byte) []byte {
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff"))
	var text string
	if json.Unmarshal(body, &text) == nil && text != "" {
		return bytes.TrimPrefix(bytes.TrimSpace([]byte(text)), []byte("\ufeff"))
	}
	return body
}

// claims reports whether a body may report success: success is anything but false, or
// there is data and neither success nor an error.
func claims(body []byte) bool {
	var e struct{ Success, Data, Error, Errors json.RawMessage }
	_ = json.Unmarshal(jsonIn(body), &e)
	nothing := func(value json.RawMessage) bool {
		return slices.Contains([]string{"", "null", "[]", "{}", `""`, "false"}, string(value))
	}
	switch string(e.Success) {
	case "false", "0", `"false"`, `"0"`:
		return false
	}
	return !nothing(e.Success) || !nothing(e.Data) && nothing(e.Error) && nothing(e.Errors)
}

// FuzzResponses checks every operation with arbitrary responses.
func FuzzResponses(f *testing.F) {
	for i, op := range operations {
		f.Add(uint8(i), 200, []byte(ok(op.data)))
		f.Add(uint8(i), 503, []byte(refusal("INSUFFICIENT_BALANCE", "User balance ($5.00) is insufficient. Cost: $20.00")))
	}
	f.Add(uint8(0), 200, []byte(`{"success":true,"data":{"created_at":3,"balance":1`+strings.Repeat("0", 80)+`}}`))
	f.Add(uint8(0), 404, []byte("<html>"))
	f.Add(uint8(4), 200, []byte(quoted(ok(quoted(`{"users":[`+aUser+`],"pagination":`+lastPage+`}`)))))
	f.Add(uint8(4), 200, []byte(`{"success":true,"data":{"users":[`+aUser+`],"pagination":`+lastPage+`},"data":null}`))
	f.Add(uint8(4), 400, []byte(`{"\u017fuccess":true,"users":[`+aUser+`]}`))
	f.Fuzz(func(t *testing.T, which uint8, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		op := operations[int(which)%len(operations)]
		sent := string(body)
		client := over(t, func(r *http.Request) (*http.Response, error) {
			return reply(r, status, sent), nil
		}, whozex.WithMaxRetries(0))
		var response whozex.Response
		got, err := op.call(t.Context(), client, whozex.CaptureResponse(&response))
		assert.Equal(t, string(body), string(response.Body), "what arrived is kept as it came")
		if err == nil {
			var envelope struct{ Success any }
			require.NoError(t, json.Unmarshal(jsonIn(body), &envelope))
			assert.Contains(t, []any{true, 1.0, "true", "1"}, envelope.Success)
			assert.Equal(t, 2, status/100)
			assert.NotNil(t, got.(result).RawJSON())
			got.(result).Unread()
			if page, ok := got.(*whozex.Page[whozex.User]); ok {
				for _, user := range page.Items {
					user.RawJSON()
					user.Unread()
				}
			}
			return
		}
		var apiErr *whozex.Error
		var unreadable *whozex.ResponseError
		require.True(t, errors.As(err, &apiErr) || errors.As(err, &unreadable), "%T", err)
		assert.NotContains(t, err.Error(), testKey)
		assert.Less(t, len(err.Error()), 2000)
		if unreadable != nil {
			assert.Equal(t, string(body), string(unreadable.Body))
			assert.Equal(t, op.mutating, errors.Is(err, whozex.ErrOutcomeUnknown), "a 2xx without a word that can be read")
		}
		if status/100 == 4 && http.StatusText(status) != "" && status != http.StatusRequestTimeout && !claims(body) {
			assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
		}
	})
}

// FuzzIDs checks that an id is one segment of the path, or is refused.
func FuzzIDs(f *testing.F) {
	for _, id := range []string{"PKG-A1B2C3", "", "..", "../account/regenerate-key", `..\x`, "a/b", "%2e%2e", "a?b#c", "\x00", "٣", "\xff", "💥"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var sent *url.URL
		client := over(t, func(r *http.Request) (*http.Response, error) {
			sent = r.URL
			return reply(r, 200, ok(packageData)), nil
		})
		_, err := client.AddGB(context.Background(), id, whozex.AddGBParams{GB: 1})
		if err != nil {
			var param *whozex.ParamError
			require.ErrorAs(t, err, &param)
			assert.Equal(t, "package_id", param.Field)
			assert.Nil(t, sent, "nothing may be sent")
			return
		}
		segment, found := strings.CutPrefix(sent.EscapedPath(), "/v1/packages/")
		require.True(t, found)
		segment, found = strings.CutSuffix(segment, "/add-gb")
		require.True(t, found)
		assert.NotContains(t, segment, "/")
		assert.Empty(t, sent.RawQuery+sent.Fragment)
		back, err := url.PathUnescape(segment)
		require.NoError(t, err)
		assert.Equal(t, id, back)
	})
}

// FuzzPaths checks that Do stays below the base URL.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{"/users", "users/1", "", "..", "/a/../../b", "/%2e%2e/b", `/a\..\b`, "//example.com/x", "http://example.com", "/a?b", "/a#b", "/%", "/a%00"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		var sent *url.URL
		client := over(t, func(r *http.Request) (*http.Response, error) {
			sent = r.URL
			return reply(r, 200, ok(everything)), nil
		})
		err := client.Do(context.Background(), "GET", path, nil, nil, nil)
		if err != nil {
			var param *whozex.ParamError
			require.ErrorAs(t, err, &param)
			assert.Equal(t, "path", param.Field)
			assert.Nil(t, sent, "nothing may be sent")
			return
		}
		assert.Equal(t, "api.whozex.com", sent.Host)
		assert.Empty(t, sent.RawQuery+sent.Fragment)
		assert.True(t, strings.HasPrefix(sent.EscapedPath(), "/v1/"), sent.EscapedPath())
		for segment := range strings.SplitSeq(sent.Path, "/") {
			assert.NotEqual(t, "..", segment)
		}
	})
}
