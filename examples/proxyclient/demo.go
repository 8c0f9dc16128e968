package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// fetchDemo does the same as fetchLive without an account. The API, the proxy and,
// unless -url is given, the page run in this process.
func fetchDemo(ctx context.Context, o options, out io.Writer) error {
	server, err := whozextest.Start()
	if err != nil {
		return err
	}
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
	if err != nil {
		return err
	}
	if _, err := client.AddBalance(ctx, user.ID, decimal.NewFromInt(50), "payment 1001"); err != nil {
		return err
	}
	pkg, err := buy(ctx, client, user.ID, o.gb, out)
	if err != nil {
		return err
	}
	o.packageID = pkg.ID
	proxy, err := proxyFor(ctx, client, o, out)
	if err != nil {
		return err
	}
	// As at the provider, the targeting follows the package's password.
	allow := func(user, password string) int {
		targeting, found := strings.CutPrefix(password, pkg.EvomiPassword.Reveal())
		if user != pkg.EvomiUsername || !found || targeting != "" && targeting[0] != '_' {
			return http.StatusProxyAuthRequired
		}
		return http.StatusOK
	}
	start := startHTTPProxy
	if o.socks5 {
		start = startSOCKS5Proxy
	}
	address, stop, err := start(allow)
	if err != nil {
		return err
	}
	defer stop()
	// Only the address of the proxy changes, not the user and password.
	_, _ = fmt.Fprintf(out, "demo      using a proxy on %s instead of %s, which does not know this user\n", address, proxy.Host)
	proxy.Host = address
	if o.page == "" {
		var stop func()
		if o.page, stop, err = startPage(); err != nil {
			return err
		}
		defer stop()
	}
	return fetch(ctx, proxy, o.page, out)
}

// startPage serves a page that shows the client's address, as ip.whozex.com does.
func startPage() (page string, stop func(), err error) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		_, _ = fmt.Fprintf(w, "{\"ip\":%q}", host)
	})
	address, stop, err := listen((&http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}).Serve)
	return "http://" + address, stop, err
}

func listen(serve func(net.Listener) error) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() { _ = serve(listener) }()
	return listener.Addr().String(), func() { _ = listener.Close() }, nil
}
