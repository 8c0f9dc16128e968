package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/whozex/whozex-go"
)

func fetchLive(ctx context.Context, o options, out io.Writer) error {
	client, err := whozex.FromEnv()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	if o.buy {
		pkg, err := buy(ctx, client, o.userID, o.gb, out)
		if err != nil {
			return err
		}
		o.packageID = pkg.ID
	}
	proxy, err := proxyFor(ctx, client, o, out)
	if err != nil {
		return err
	}
	return fetch(ctx, proxy, o.page, out)
}

// buy makes one call. The SDK retries a purchase only if it was certainly not made.
// Callers must not retry it either: a second request can be a second purchase.
func buy(ctx context.Context, client *whozex.Client, userID string, gb int, out io.Writer) (*whozex.Package, error) {
	pkg, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: gb})
	// Check this before any other error: money may have been spent.
	if errors.Is(err, whozex.ErrOutcomeUnknown) {
		return nil, fmt.Errorf("THE PACKAGE MAY HAVE BEEN BOUGHT, do not buy again: "+
			"check for a package.created event or the user's balance, then use -package: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("nothing was bought: %w", err)
	}
	// Print this at once: if a later step fails, -package continues from here.
	_, _ = fmt.Fprintf(out, "bought    %s, %s GB for $%s\n", pkg.ID, pkg.TotalGB, pkg.Cost.StringFixed(2))
	return pkg, nil
}

// proxyFor returns the URL of the package's proxy. Its password contains the
// targeting. The SDK's method escapes any password correctly.
func proxyFor(ctx context.Context, client *whozex.Client, o options, out io.Writer) (*url.URL, error) {
	credentials, err := client.GetCredentials(ctx, o.packageID, o.target)
	if err != nil {
		return nil, fmt.Errorf("credentials of %s: %w", o.packageID, err)
	}
	proxyURL := credentials.HTTPProxyURL
	if o.socks5 {
		proxyURL = credentials.SOCKS5ProxyURL
	}
	proxy, err := proxyURL()
	if err != nil {
		return nil, err
	}
	target := credentials.Targeting
	_, _ = fmt.Fprintf(out, "proxy     %s, country %q, city %q\n", proxy.Redacted(), target.Country, target.City)
	return proxy, nil
}
