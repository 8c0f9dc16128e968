package whozextest

import (
	"encoding/json"
	"net/http"
	"time"
)

type envelope struct {
	Success bool       `json:"success"`
	Data    any        `json:"data,omitempty"`
	Error   *errorBody `json:"error,omitempty"`
	Meta    meta       `json:"meta"`
}

type errorBody struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

type meta struct {
	Timestamp string `json:"timestamp"`
	Version   string `json:"version"`
}

// response is a complete response.
type response struct {
	status int
	header http.Header
	body   []byte
}

func newResponse(data any, failed *failure, at time.Time) response {
	e := envelope{Success: failed == nil, Data: data, Meta: meta{Timestamp: stamp(at), Version: "1.0.0"}}
	a := response{status: http.StatusOK, header: http.Header{}}
	if failed != nil {
		e.Data, e.Error = nil, &errorBody{Code: failed.code, Message: failed.message}
		a.status = failed.status
		if failed.header != nil {
			a.header = failed.header.Clone()
		}
	}
	a.header.Set("Content-Type", "application/json; charset=utf-8")
	body, err := json.Marshal(e)
	if err != nil {
		panic("whozextest: " + err.Error()) // a bug: every response can be encoded
	}
	a.body = body
	return a
}
