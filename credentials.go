package whozex

import (
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Credentials log in to a package's proxies.
type Credentials struct {
	Username string        `json:"username"`
	Password Secret        `json:"password"`
	HTTP     ProxyEndpoint `json:"http"`
	SOCKS5   ProxyEndpoint `json:"socks5"`
	// Targeting is the API's form of the requested targeting; a city that is
	// null is empty.
	Targeting Targeting `json:"targeting"`

	origin
}

// ProxyEndpoint is the address and login of one proxy protocol.
type ProxyEndpoint struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	// ConnectionString is host:port:username:password. The password contains the
	// targeting, as in _country-TR.
	ConnectionString Secret `json:"connection_string"`
	// CurlExample is a command line; the API gives one for HTTP only.
	CurlExample Secret `json:"curl_example,omitempty" api:"optional"`
}

// LogValue implements [slog.LogValuer] without passwords.
func (c Credentials) LogValue() slog.Value { return logGroup(c) }

// Format implements [fmt.Formatter], see [Secret].
func (c Credentials) Format(f fmt.State, verb rune) {
	type plain Credentials
	c.origin = origin{} // %s would show its bytes
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(c))
}

// LogValue implements [slog.LogValuer] without passwords.
func (e ProxyEndpoint) LogValue() slog.Value { return logGroup(e) }

// Format implements [fmt.Formatter], see [Secret].
func (e ProxyEndpoint) Format(f fmt.State, verb rune) {
	type plain ProxyEndpoint
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), plain(e))
}

// HTTPProxyURL returns the URL of the HTTP proxy for [net/http.ProxyURL], with the
// targeting of the connection string. Print it with Redacted.
func (c *Credentials) HTTPProxyURL() (*url.URL, error) {
	return c.proxyURL("http", c.HTTP)
}

// SOCKS5ProxyURL returns the URL of the SOCKS5 proxy for [net/http.ProxyURL], with the
// targeting. net/http lets the proxy resolve names.
func (c *Credentials) SOCKS5ProxyURL() (*url.URL, error) {
	address, err := c.proxyURL("socks5", c.SOCKS5)
	if err != nil {
		return nil, err
	}
	password, _ := address.User.Password()
	if len(address.User.Username()) > 255 || len(password) > 255 {
		return nil, fmt.Errorf("whozex: SOCKS5 carries user and password of at most 255 bytes")
	}
	return address, nil
}

func (c *Credentials) proxyURL(scheme string, e ProxyEndpoint) (*url.URL, error) {
	host, rest, found := cutHost(string(e.ConnectionString))
	// A password may hold colons.
	parts := strings.SplitN(rest, ":", 3)
	if !found || host == "" || len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, fmt.Errorf("whozex: the %s connection string is not host:port:username:password", scheme)
	}
	if port, err := strconv.ParseUint(parts[0], 10, 16); err != nil || port == 0 {
		return nil, fmt.Errorf("whozex: the %s connection string has no valid port", scheme)
	}
	return &url.URL{
		Scheme: scheme,
		User:   url.UserPassword(parts[1], parts[2]),
		Host:   net.JoinHostPort(host, parts[0]),
	}, nil
}

// cutHost splits off the host, which is in brackets if it is an IPv6 address.
func cutHost(connection string) (host, rest string, found bool) {
	if inner, ok := strings.CutPrefix(connection, "["); ok {
		return strings.Cut(inner, "]:")
	}
	return strings.Cut(connection, ":")
}
