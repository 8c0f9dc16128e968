package whozex

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/whozex/whozex-go/internal/wire"
)

// WithDebugWriter writes each request and each response to w as text, with headers and
// body, for debugging. The default is none. It shows what is sent and received beneath
// all middleware of [WithMiddleware], with one Write for each message. The calls wait for
// w.
//
// It masks the API key, everything with the prefix of a key or webhook secret, cookies,
// and JSON strings whose names contain password, secret, key, token, connection string or
// curl. Everything else is readable, such as the emails and balances of users.
func WithDebugWriter(w io.Writer) Option {
	return func(s *settings) error {
		if w == nil {
			return missing("debug writer")
		}
		s.debug = newDebugWriter(w).wrap
		return nil
	}
}

// debugWriter is the innermost middleware, above the sender that adds the API key.
type debugWriter struct {
	mu sync.Mutex
	w  io.Writer
	mask
}

// mask removes secrets from a message. It is not in package variables, so that a program
// without WithDebugWriter does not link package regexp.
type mask struct{ header, field, text *regexp.Regexp }

func newDebugWriter(w io.Writer) *debugWriter {
	return &debugWriter{w: w, mask: mask{
		header: regexp.MustCompile(`(?i)cookie|authorization|key|token|secret`),
		// The closing quote may be missing from a body that was cut short.
		field: regexp.MustCompile(`(?i)("(?:[^"\\]|\\.)*(?:passw|secret|key|token|connection_string|curl)(?:[^"\\]|\\.)*"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?$)`),
		text:  regexp.MustCompile(`(?:wx_live_|wxsec_)\w+`),
	}}
}

func (d *debugWriter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		a := wire.FromContext(req.Context())
		if a == nil {
			return next.RoundTrip(req)
		}
		m := d.message(a, '>', "%s %s", req.Method, req.URL)
		m.body.Write(a.Payload)
		m.write(req.Header)
		began := time.Now()
		resp, err := next.RoundTrip(req)
		switch {
		case err != nil:
			d.message(a, '<', "%v, after %s", err, time.Since(began)).write(nil)
		case resp == nil:
		case resp.Body == nil:
			d.message(a, '<', "%s %s, after %s", resp.Proto, resp.Status, time.Since(began)).write(resp.Header)
		default:
			m := d.message(a, '<', "%s %s, after %s", resp.Proto, resp.Status, time.Since(began))
			resp.Body = &debugBody{ReadCloser: resp.Body, message: m, header: resp.Header.Clone()}
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// debugBody records what is read of a response, and writes it on Close.
type debugBody struct {
	io.ReadCloser
	message *debugMessage
	header  http.Header
	written sync.Once
}

func (b *debugBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.message.body.Write(p[:n])
	return n, err
}

func (b *debugBody) Close() error {
	b.written.Do(func() { b.message.write(b.header) })
	return b.ReadCloser.Close()
}

type debugMessage struct {
	to        *debugWriter
	key       *wire.Key
	direction byte
	head      string
	body      bytes.Buffer
}

func (d *debugWriter) message(a *wire.Attempt, direction byte, format string, args ...any) *debugMessage {
	head := fmt.Sprintf("%s, attempt %d: ", a.Operation, a.Number) + fmt.Sprintf(format, args...)
	return &debugMessage{to: d, key: a.Key, direction: direction, head: head}
}

func (m *debugMessage) write(header http.Header) {
	var text strings.Builder
	text.WriteString(m.head + "\n")
	header = header.Clone()
	for name := range header {
		if m.to.header.MatchString(name) {
			header[name] = []string{redacted}
		}
	}
	_ = header.Write(&text)
	if m.body.Len() > 0 {
		text.WriteString("\n" + m.body.String())
	}
	var out strings.Builder
	for line := range strings.Lines(m.to.apply(text.String(), m.key)) {
		fmt.Fprintf(&out, "%c %s\n", m.direction, strings.Map(printable, strings.TrimRight(line, "\r\n")))
	}
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	_, _ = io.WriteString(m.to.w, out.String()+"\n")
}

func (m *mask) apply(text string, key *wire.Key) string {
	text = strings.ReplaceAll(text, key.Value, redacted)
	text = m.field.ReplaceAllString(text, `${1}"`+redacted+`"`)
	return m.text.ReplaceAllString(text, redacted)
}

// printable escapes control characters, so that a response cannot control the terminal.
func printable(r rune) rune {
	if control(r) && r != '\t' {
		return '.'
	}
	return r
}
