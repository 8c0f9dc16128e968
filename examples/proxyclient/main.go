// Command proxyclient fetches a page through the proxies of a package:
//
//	WHOZEX_API_KEY=wx_live_example proxyclient -package PKG-3F8A2C -country TR -city Istanbul
//	WHOZEX_API_KEY=wx_live_example proxyclient -buy -user ID -gb 1
//
// With a key it uses an existing package, or buys one with -buy. Without a key it
// needs no account and no network: it buys from a fake server, and fetches its own
// page through a proxy on loopback that checks user and password as the provider's
// does.
//
//	go -C examples run ./proxyclient -socks5
//
// The exit status is 0 for success, 2 for an invalid command line, 3 for a purchase
// whose outcome is unknown and that must not be repeated, and 1 for other errors.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"

	"github.com/whozex/whozex-go"
)

// options are the flags of the command line.
type options struct {
	packageID string
	buy       bool
	userID    string
	gb        int
	target    whozex.Targeting
	page      string
	socks5    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	live := os.Getenv("WHOZEX_API_KEY") != ""
	o, err := parse(args, live, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if live {
		err = fetchLive(ctx, o, stdout)
	} else {
		err = fetchDemo(ctx, o, stdout)
	}
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "proxyclient:", err)
	if errors.Is(err, whozex.ErrOutcomeUnknown) {
		return 3
	}
	return 1
}

// parse parses the command line. It prints errors to stderr.
func parse(args []string, live bool, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("proxyclient", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.packageID, "package", "", "`id` of a package to use")
	flags.BoolVar(&o.buy, "buy", false, "buy a package, which spends money")
	flags.StringVar(&o.userID, "user", "", "`id` of the sub-user who buys")
	flags.IntVar(&o.gb, "gb", 1, "size in `GB` of the package to buy")
	flags.StringVar(&o.target.Country, "country", "TR", "two-letter `code` of the exit country, or any")
	flags.StringVar(&o.target.City, "city", "", "exit `city`")
	flags.StringVar(&o.page, "url", "", "page to fetch (default https://ip.whozex.com, or without a key a page of this program)")
	flags.BoolVar(&o.socks5, "socks5", false, "use the SOCKS5 proxy instead of the HTTP proxy")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if err := o.check(live, flags.Args()); err != nil {
		_, _ = fmt.Fprintln(stderr, "proxyclient:", err)
		return o, err
	}
	if live && o.page == "" {
		o.page = "https://ip.whozex.com"
	}
	return o, nil
}

// check validates the options before any money is spent.
func (o options) check(live bool, args []string) error {
	page, err := url.Parse(o.page)
	switch {
	case len(args) > 0:
		return fmt.Errorf("unexpected argument %q", args[0])
	case o.page != "" && (err != nil || page.Host == "" || page.Scheme != "http" && page.Scheme != "https"):
		return errors.New("-url must be http:// or https://")
	case o.gb < 1:
		return errors.New("-gb must be at least 1")
	case !live && (o.packageID != "" || o.buy || o.userID != ""):
		return errors.New("-package, -buy and -user need an account: set WHOZEX_API_KEY")
	case live && o.buy == (o.packageID != ""):
		return errors.New("use -package ID for an existing package, or -buy to spend money on one")
	case o.buy && o.userID == "":
		return errors.New("-buy needs -user ID: the sub-user's balance pays")
	}
	return nil
}
