package main

import (
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const pkg = "PKG-3F8A2C"

// flagsOf returns the flags to fetch a page through a kind of proxy.
func flagsOf(kind, page string) []string {
	args := []string{"-package", pkg, "-url", page}
	if kind == "socks5" {
		args = append(args, "-socks5")
	}
	return args
}

func TestProxy_ReceivesExactPassword(t *testing.T) {
	for _, kind := range []string{"http", "socks5"} {
		for _, scheme := range []string{"http", "https"} {
			for _, password := range []string{"wxp1a2b3c4", "sl/ash", "ha#sh", "per%cent", "enc%2Foded", "a@t", "co:lon", ":/#%@:", "+ &?=\"'\\ü"} {
				t.Run(kind+" "+scheme+" "+strconv.Quote(password), func(t *testing.T) {
					l := login{"wx3f8a2c01", password + "_country-TR_city-new.york"}
					address, accepted := startProxy(t, kind, l, http.StatusOK)
					startAPI(t, address, l)
					page, visits := startSite(t, scheme, http.StatusOK)
					code, stdout, stderr := runProgram(t, l, flagsOf(kind, page)...)
					require.Equal(t, 0, code, stderr)
					assert.Contains(t, stdout, kind+"://wx3f8a2c01:xxxxx@"+address)
					assert.Contains(t, stdout, "200 OK\nthe page\n")
					assert.EqualValues(t, 1, accepted.Load())
					assert.EqualValues(t, 1, visits.Load())
				})
			}
		}
	}
}

func TestProxy_Refusals(t *testing.T) {
	for status, want := range map[int]string{
		407: "407 Proxy Authentication Required: the user or password is wrong, or the package has expired",
		412: "412 Precondition Failed: the targeting may not be available: try another country or city",
		402: "402 Payment Required: the package may have no GB left",
	} {
		for _, scheme := range []string{"http", "https"} {
			t.Run(scheme+" "+strconv.Itoa(status), func(t *testing.T) {
				l := login{"wx3f8a2c01", "p/#%@:_country-TR"}
				address, _ := startProxy(t, "http", l, status)
				startAPI(t, address, l)
				page, visits := startSite(t, scheme, http.StatusOK)
				code, stdout, stderr := runProgram(t, l, flagsOf("http", page)...)
				assert.Equal(t, 1, code)
				source := "the proxy http://wx3f8a2c01:xxxxx@" + address
				if scheme == "http" && status != http.StatusProxyAuthRequired {
					source += ", or the page's server,"
				}
				assert.Contains(t, stderr, source+" refused with "+want)
				assert.NotContains(t, stdout, "page ")
				assert.Zero(t, visits.Load())
			})
		}
	}
}

func TestProxy_CONNECTFails(t *testing.T) {
	l := login{"wx3f8a2c01", "wxp1a2b3c4_country-TR"}
	address, _ := startProxy(t, "http", l, http.StatusServiceUnavailable)
	startAPI(t, address, l)
	page, _ := startSite(t, "https", http.StatusOK)
	code, _, stderr := runProgram(t, l, flagsOf("http", page)...)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "503 Service Unavailable: it may be down, or cannot reach the page")
}

func TestProxy_WrongPassword(t *testing.T) {
	for kind, want := range map[string]string{"http": "refused with 407", "socks5": "username/password authentication failed"} {
		for _, scheme := range []string{"http", "https"} {
			l := login{"wx3f8a2c01", "wxp/1a2b3c4_country-TR"}
			address, accepted := startProxy(t, kind, login{l.user, "wxp%2F1a2b3c4_country-TR"}, http.StatusOK)
			startAPI(t, address, l)
			page, visits := startSite(t, scheme, http.StatusOK)
			code, _, stderr := runProgram(t, l, flagsOf(kind, page)...)
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, want)
			assert.Contains(t, stderr, kind+"://wx3f8a2c01:xxxxx@"+address)
			assert.Zero(t, accepted.Load())
			assert.Zero(t, visits.Load())
		}
	}
}

// A status that comes through a tunnel is that of the site, not of the proxy.
func TestProxy_StatusOfSite(t *testing.T) {
	l := login{"wx3f8a2c01", "wxp1a2b3c4_country-TR"}
	for _, tt := range []struct{ kind, scheme string }{{kind: "http", scheme: "https"}, {kind: "socks5", scheme: "http"}, {kind: "socks5", scheme: "https"}} {
		address, _ := startProxy(t, tt.kind, l, http.StatusOK)
		startAPI(t, address, l)
		page, _ := startSite(t, tt.scheme, http.StatusPreconditionFailed)
		code, stdout, stderr := runProgram(t, l, flagsOf(tt.kind, page)...)
		assert.Equal(t, 0, code, stderr)
		assert.Contains(t, stdout, "412 Precondition Failed\nthe page\n")
	}
}

func TestProxy_ConnectionRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	l := login{"wx3f8a2c01", "p/#%@:_country-TR"}
	startAPI(t, address, l)
	for _, kind := range []string{"http", "socks5"} {
		code, _, stderr := runProgram(t, l, flagsOf(kind, "https://127.0.0.1:1")...)
		assert.Equal(t, 1, code)
		assert.Contains(t, stderr, kind+"://wx3f8a2c01:xxxxx@"+address)
	}
}
