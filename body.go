package whozex

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
)

// readBody reads the response's body. Of one longer than most bytes it returns the first
// most; with an error it returns what came before.
func readBody(resp *http.Response, most int64) (body []byte, tooLong bool, err error) {
	body, err = readUpTo(resp.Body, resp.ContentLength, most)
	// The transport decompresses gzip only if it requested it, and only once: server and
	// proxy may both have compressed the body.
	for range 2 {
		if err == nil && int64(len(body)) <= most && bytes.HasPrefix(body, gzipMagic) {
			body, err = gunzip(body, most)
		}
	}
	if int64(len(body)) > most {
		return body[:most], true, nil
	}
	return body, false, err
}

// readUpTo reads r until it ends or has more than most bytes. It takes length, if known,
// only as a hint: middleware may have changed the body.
func readUpTo(r io.Reader, length, most int64) ([]byte, error) {
	if length < 0 || length > most {
		return io.ReadAll(io.LimitReader(r, most+1))
	}
	body := make([]byte, 0, length+1)
	for int64(len(body)) <= most {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

var gzipMagic = []byte{0x1f, 0x8b}

// gunzip decompresses body, or returns it as it is with the error.
func gunzip(body []byte, most int64) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body, err
	}
	plain, err := readUpTo(r, -1, most)
	if err != nil {
		return body, err
	}
	return plain, nil
}
