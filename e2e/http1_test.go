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

// conn1 serves a connection of HTTP/1.1.
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
	key, p := c.s.begin(req.Method, req.URL.Path, req.Header.Get("Authorization"))
	defer c.s.end(key, p)
	early := p.point == atHeaders
	if !early {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return err
		}
	}
	switch {
	case p.act == respond && p.point < inHeaders:
	case p.act == respond:
		p.point = atEnd
	case p.point < inHeaders:
		return c.strike(p)
	}
	out := p.head() + p.body
	cut := len(out)
	switch {
	case p.act == respond:
	case p.point == inHeaders:
		cut = len(p.head()) * 2 / 3
	case p.point == inBody:
		cut = len(out) - len(p.body)/2
	}
	if _, err := io.WriteString(c.conn, out[:cut]); err != nil {
		return err
	}
	if p.act != respond {
		return c.strike(p)
	}
	if early {
		_, err := io.Copy(io.Discard, req.Body)
		return err
	}
	return nil
}

// strike ends the connection in the way of the plan.
func (c *conn1) strike(p plan) error {
	switch p.act {
	case reset:
		_ = c.raw.SetLinger(0)
	case halfClose:
		_ = c.conn.CloseWrite()
		_ = c.raw.CloseWrite()
		drain(c.raw)
	case stall:
		drain(c.raw)
	case switching:
		if p.point < inHeaders {
			_, _ = io.WriteString(c.conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n")
			drain(c.raw)
		}
	}
	return errEnd
}
