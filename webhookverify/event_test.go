package webhookverify_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

func signed(body string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set(webhookverify.SignatureHeader, webhookverify.Sign([]byte(body), secret))
	return r
}

const created = `{"event":"package.created","data":{"user_id":"u","package_id":"PKG-A1B2C3","gb":20,"cost":30.00},"timestamp":"2025-01-01T12:00:00.000Z"}`

func TestReadRequest(t *testing.T) {
	event, err := newVerifier(t).ReadRequest(signed(created))
	require.NoError(t, err)
	assert.Equal(t, "package.created", event.Name)
	assert.Equal(t, time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC), event.Timestamp)
	assert.Equal(t, created, string(event.Body))
	assert.Equal(t, fmt.Sprintf("v2:%x", sha256.Sum256([]byte(created))), event.ID)
	assert.Empty(t, event.Webhook)
	var data struct {
		PackageID string `json:"package_id"`
		GB        int
	}
	require.NoError(t, event.Decode(&data))
	assert.Equal(t, "PKG-A1B2C3", data.PackageID)
	assert.Equal(t, 20, data.GB)
	assert.ErrorIs(t, event.Decode(&[]int{}), webhookverify.ErrMalformedEvent)
}

func TestReadRequest_UnknownEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		body, event, data string
		at                bool
	}{
		"unknown name":                {body: `{"event":"moon.landed","data":[1,{"a":null}],"timestamp":"2025-01-01T12:00:00Z"}`, event: "moon.landed", data: `[1,{"a":null}]`, at: true},
		"no data":                     {body: `{"event":"x"}`, event: "x"},
		"null data":                   {body: `{"event":"x","data":null}`, event: "x", data: "null"},
		"unknown fields":              {body: `{"id":{"event":"y"},"event":"x","EVENT":"z","Event":"w"}`, event: "x"},
		"escaped key":                 {body: `{"\u0065vent":"x"}`, event: "x"},
		"unreadable time":             {body: `{"event":"x","timestamp":"soon"}`, event: "x"},
		"a time that is not a string": {body: `{"event":"x","timestamp":{"a":1}}`, event: "x"},
		"whitespace around":           {body: " {\r\n \"event\" : \"x\" }\n ", event: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := newVerifier(t).ReadRequest(signed(tt.body))
			require.NoError(t, err)
			assert.Equal(t, tt.event, event.Name)
			assert.Equal(t, tt.data, string(event.Data))
			assert.Equal(t, tt.at, !event.Timestamp.IsZero())
			if tt.data == "" {
				assert.ErrorIs(t, event.Decode(new(any)), webhookverify.ErrMalformedEvent)
			}
		})
	}
}

func TestReadRequest_MalformedEvents(t *testing.T) {
	for name, body := range map[string]string{
		"empty":                 "",
		"no object":             `["event"]`,
		"text":                  `"event"`,
		"null":                  `null`,
		"no name":               `{"data":{}}`,
		"empty name":            `{"event":""}`,
		"null name":             `{"event":null}`,
		"a number for a name":   `{"event":1}`,
		"name in capitals":      `{"EVENT":"x"}`,
		"two names":             `{"event":"x","event":"y"}`,
		"two names, escaped":    `{"event":"x","\u0065vent":"y"}`,
		"two data":              `{"event":"x","data":1,"data":2}`,
		"truncated":             `{"event":"x"`,
		"truncated within data": `{"event":"x","data":{"a":`,
		"data after the object": `{"event":"x"}{}`,
		"garbage follows":       `{"event":"x"}]`,
		"too deep":              `{"event":"x","data":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newVerifier(t).ReadRequest(signed(body))
			assert.ErrorIs(t, err, webhookverify.ErrMalformedEvent)
		})
	}
}

func FuzzReadRequest(f *testing.F) {
	f.Add(created)
	f.Add(`{"event":"x","event":"y"}`)
	v := newVerifier(f)
	f.Fuzz(func(t *testing.T, body string) {
		event, err := v.ReadRequest(signed(body))
		switch {
		case err != nil:
			assert.ErrorIs(t, err, webhookverify.ErrMalformedEvent)
		default:
			assert.NotEmpty(t, event.Name)
			assert.Equal(t, body, string(event.Body))
		}
	})
}
