package e2e

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// conn2 serves an HTTP/2 connection.
type conn2 struct {
	s      *wireServer
	raw    *net.TCPConn
	conn   *tls.Conn
	framer *http2.Framer

	mu      sync.Mutex // for writes
	buf     bytes.Buffer
	encoder *hpack.Encoder

	streams map[uint32]*stream2
	group   sync.WaitGroup
}

type stream2 struct {
	id     uint32
	key    string
	plan   plan
	closed chan struct{} // closed when the client resets the stream or the connection ends
}

func newConn2(s *wireServer, raw *net.TCPConn, conn *tls.Conn) *conn2 {
	c := &conn2{s: s, raw: raw, conn: conn, framer: http2.NewFramer(conn, conn), streams: map[uint32]*stream2{}}
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.buf)
	return c
}

func (c *conn2) serve() {
	defer func() {
		_ = c.raw.Close()
		for _, s := range c.streams {
			close(s.closed)
		}
		c.group.Wait()
	}()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.conn, preface); err != nil {
		return
	}
	if c.write(func() error { return c.framer.WriteSettings() }) != nil {
		return
	}
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil || c.read(frame) != nil {
			return
		}
	}
}

func (c *conn2) read(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.write(c.framer.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.write(func() error { return c.framer.WritePing(true, f.Data) })
		}
	case *http2.RSTStreamFrame:
		c.removeStream(f.StreamID)
	case *http2.MetaHeadersFrame:
		c.open(f)
	case *http2.DataFrame:
		if n := f.Length; n > 0 {
			_ = c.write(func() error { return c.framer.WriteWindowUpdate(0, n) })
		}
		if s := c.streams[f.StreamID]; s != nil && f.StreamEnded() && s.plan.point != atHeaders {
			c.respond(s)
		}
	}
	return nil
}

func (c *conn2) removeStream(id uint32) {
	if s := c.streams[id]; s != nil {
		close(s.closed)
		delete(c.streams, id)
	}
}

func (c *conn2) open(f *http2.MetaHeadersFrame) {
	var authorization string
	for _, field := range f.RegularFields() {
		if field.Name == "authorization" {
			authorization = field.Value
		}
	}
	key, p := c.s.beginRequest(f.PseudoValue("method"), strings.Split(f.PseudoValue("path"), "?")[0], authorization)
	s := &stream2{id: f.StreamID, key: key, plan: p, closed: make(chan struct{})}
	c.streams[s.id] = s
	if f.StreamEnded() || p.point == atHeaders {
		c.respond(s)
	}
}

func (c *conn2) respond(s *stream2) {
	c.group.Go(func() {
		defer c.s.endRequest(s.key, s.plan)
		_ = c.execute(s)
	})
}

func (c *conn2) execute(s *stream2) error {
	p := s.plan
	if p.action == respond {
		p.point = atEnd
	}
	if p.point < inHeaders {
		return c.fail(s)
	}
	return c.write(func() error {
		for range p.early {
			if err := c.headers(s.id, false, ":status", "103", "link", "</style.css>"); err != nil {
				return err
			}
		}
		fields := []string{":status", itoa(p.status), "content-type", "application/json"}
		if name, value, found := strings.Cut(p.header, ": "); found {
			fields = append(fields, strings.ToLower(name), value)
		}
		body := []byte(p.body)
		if p.point == inHeaders {
			return c.failLocked(s)
		}
		if err := c.headers(s.id, len(body) == 0 && p.point == atEnd, fields...); err != nil {
			return err
		}
		if p.point == inBody {
			if err := c.framer.WriteData(s.id, false, body[:len(body)/2]); err != nil {
				return err
			}
		} else if len(body) > 0 {
			if err := c.framer.WriteData(s.id, true, body); err != nil {
				return err
			}
		}
		if p.action == respond {
			return nil
		}
		return c.failLocked(s)
	})
}

func (c *conn2) fail(s *stream2) error {
	return c.write(func() error { return c.failLocked(s) })
}

// failLocked breaks the stream or the connection as planned. It needs mu.
func (c *conn2) failLocked(s *stream2) error {
	switch p := s.plan; p.action {
	case reset:
		return c.framer.WriteRSTStream(s.id, p.code)
	case goAway:
		last := max(int(s.id)+2*p.lastID, 0)
		err := c.framer.WriteGoAway(uint32(last), p.code, nil)
		if p.lastID < 0 {
			c.closeLater()
		}
		return err
	case closeConn:
		return c.raw.Close()
	case halfClose:
		return c.conn.CloseWrite()
	case switchProtocols:
		return c.headers(s.id, false, ":status", "101")
	case stall:
		c.group.Go(func() {
			select {
			case <-s.closed:
			case <-time.After(stallFor):
				_ = c.raw.Close()
			}
		})
	}
	return nil
}

// closeLater closes the connection after the client has had time to read.
func (c *conn2) closeLater() {
	c.group.Go(func() {
		time.Sleep(5 * time.Millisecond) // as a server that closes gracefully does
		_ = c.raw.Close()
	})
}

func (c *conn2) write(f func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(stallFor))
	return f()
}

func (c *conn2) headers(id uint32, end bool, fields ...string) error {
	c.buf.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.buf.Bytes(), EndHeaders: true, EndStream: end,
	})
}
