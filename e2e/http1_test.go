package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// conn1 serves an HTTP/1.1 connection.
type conn1 struct {
	s    *wireServer
	raw  *net.TCPConn
	conn *tls.Conn
}

func (c *conn1) serve() {
	r := bufio.NewReader(c.conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if c.handle(req) != nil {
			return
		}
	}
}

func (c *conn1) handle(req *http.Request) error {
	key, p := c.s.beginRequest(req.Method, req.URL.Path, req.Header.Get("Authorization"))
	defer c.s.endRequest(key, p)
	early := p.point == atHeaders
	if !early {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return err
		}
	}
	switch {
	case p.action == respond && p.point < inHeaders:
	case p.action == respond:
		p.point = atEnd
	case p.point < inHeaders:
		return c.fail(p)
	}
	out := p.head() + p.body
	written := len(out)
	switch {
	case p.action == respond:
	case p.point == inHeaders:
		written = len(p.head()) * 2 / 3
	case p.point == inBody:
		written = len(out) - len(p.body)/2
	}
	if _, err := io.WriteString(c.conn, out[:written]); err != nil {
		return err
	}
	if p.action != respond {
		return c.fail(p)
	}
	if early {
		_, err := io.Copy(io.Discard, req.Body)
		return err
	}
	return nil
}

// fail breaks the connection as planned.
func (c *conn1) fail(p plan) error {
	switch p.action {
	case reset:
		_ = c.raw.SetLinger(0)
	case halfClose:
		_ = c.conn.CloseWrite()
		_ = c.raw.CloseWrite()
		drain(c.raw)
	case stall:
		drain(c.raw)
	case switchProtocols:
		if p.point < inHeaders {
			_, _ = io.WriteString(c.conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
			drain(c.raw)
		}
	}
	return errEnd
}
