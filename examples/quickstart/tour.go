package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// tour calls the endpoints in the order of a reseller's day.
type tour struct {
	server *whozextest.Server
	client *whozex.Client
	out    io.Writer
	inbox  *inbox
	user   *whozex.User
	pkg    *whozex.Package
}

func runTour(ctx context.Context, server *whozextest.Server, out io.Writer) error {
	d := &tour{server: server, client: server.Client(), out: out}
	defer d.client.CloseIdleConnections()
	printLine(out, "sandbox", "%s, no real money is spent", server.URL)
	for _, step := range []func(context.Context) error{
		d.account, d.prices, d.webhook, d.newUser, d.topUp, d.purchase, d.event, d.credentials, d.moreGB,
		d.usage, d.transactions, d.users, d.statistics, d.insufficientBalance, d.newKey,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := d.inbox.close(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "done: %d of 16 endpoints\n", endpointsCalled(server))
	return err
}

func (d *tour) account(ctx context.Context) error {
	account, err := d.client.GetAccount(ctx)
	if err != nil {
		return err
	}
	printLine(d.out, "account", "%s, balance %s, VIP %t", account.Name, usd(account.Balance), account.IsVIP)
	return nil
}

func (d *tour) prices(ctx context.Context) error {
	pricing, err := d.client.GetPricing(ctx)
	if err != nil {
		return err
	}
	for _, plan := range pricing.Plans {
		printLine(d.out, "plan", "%3d GB at %s per GB, %s", plan.GB, usd(plan.YourPrice), usd(plan.TotalCost))
	}
	quote, err := d.client.CalculatePrice(ctx, 20)
	if err != nil {
		return err
	}
	printLine(d.out, "quote", "%d GB cost %s", quote.GB, usd(quote.Total))
	return nil
}

// webhook registers a receiver. The API returns its secret only once.
func (d *tour) webhook(ctx context.Context) error {
	inbox, err := newInbox()
	if err != nil {
		return err
	}
	d.inbox = inbox
	hook, err := d.client.CreateWebhook(ctx, whozex.CreateWebhookParams{
		URL:    inbox.url(),
		Events: []string{whozex.EventPackageCreated, whozex.EventPackageLowGB},
	})
	if err != nil {
		return err
	}
	printLine(d.out, "webhook", "%s for %v, secret %s", hook.ID, hook.Events, hook.Secret)
	return inbox.serve(hook.Secret.Reveal())
}

func (d *tour) newUser(ctx context.Context) error {
	user, err := d.client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com", Name: "John Doe"})
	if err != nil {
		return err
	}
	d.user = user
	printLine(d.out, "new user", "%s <%s>, balance %s", user.Name, user.Email, usd(user.Balance))
	return nil
}

func (d *tour) topUp(ctx context.Context) error {
	change, err := d.client.AddBalance(ctx, d.user.ID, decimal.NewFromInt(50), "payment 1001")
	if err != nil {
		return err
	}
	printLine(d.out, "top-up", "%s to the user, balance %s; your balance %s", usd(change.Amount), usd(change.UserBalance), usd(change.ResellerBalance))
	change, err = d.client.DeductBalance(ctx, d.user.ID, decimal.RequireFromString("2.50"), "refund 1001")
	if err != nil {
		return err
	}
	printLine(d.out, "deduction", "%s from the user; your balance %s", usd(change.Amount), usd(change.ResellerBalance))
	return nil
}

func (d *tour) purchase(ctx context.Context) error {
	pkg, err := d.client.PurchasePackage(ctx, d.user.ID, whozex.PurchasePackageParams{GB: 20})
	if errors.Is(err, whozex.ErrOutcomeUnknown) {
		return fmt.Errorf("the package may have been bought, do not try again: %w", err)
	}
	if err != nil {
		return err
	}
	d.pkg = pkg
	printLine(d.out, "purchase", "%s, %s GB %s for %s, password %s; the user's balance %s",
		pkg.ID, pkg.TotalGB, pkg.ProxyType, usd(pkg.Cost), pkg.EvomiPassword, usd(pkg.UserBalanceAfter))
	return nil
}

// event waits for the event of the purchase.
func (d *tour) event(ctx context.Context) error {
	event, err := d.inbox.next(ctx)
	if err != nil {
		return err
	}
	var created whozex.PackageCreated
	if err := event.Decode(&created); err != nil {
		return err
	}
	printLine(d.out, "event", "%s %s, verified: %s GB for %s", event.Name, created.PackageID, created.GB, usd(created.Cost))
	return nil
}

func (d *tour) credentials(ctx context.Context) error {
	credentials, err := d.client.GetCredentials(ctx, d.pkg.ID, whozex.Targeting{Country: "TR"})
	if err != nil {
		return err
	}
	proxy, err := credentials.HTTPProxyURL()
	if err != nil {
		return err
	}
	printLine(d.out, "credentials", "%s, exit country %s", proxy.Redacted(), credentials.Targeting.Country)
	return nil
}

func (d *tour) moreGB(ctx context.Context) error {
	pkg, err := d.client.AddGB(ctx, d.pkg.ID, whozex.AddGBParams{GB: 10, Note: "extension 1001"})
	if err != nil {
		return err
	}
	printLine(d.out, "more GB", "%s GB in total", pkg.TotalGB)
	return nil
}

func (d *tour) usage(ctx context.Context) error {
	// The customer uses the proxy.
	if err := d.server.UseGB(d.pkg.ID, decimal.RequireFromString("4.25")); err != nil {
		return err
	}
	pkg, err := d.client.GetPackage(ctx, d.pkg.ID)
	if err != nil {
		return err
	}
	usage, err := d.client.GetUsage(ctx, d.pkg.ID, whozex.UsageParams{Duration: "7d", Granularity: whozex.GranularityDay})
	if err != nil {
		return err
	}
	printLine(d.out, "usage", "%s of %s GB left, live %t, %d days in the chart", pkg.RemainingGB, pkg.TotalGB, pkg.Live, len(usage.Chart))
	return nil
}

func (d *tour) transactions(ctx context.Context) error {
	for t, err := range d.client.AllTransactions(ctx, whozex.ListTransactionsParams{}) {
		if err != nil {
			return err
		}
		printLine(d.out, "transaction", "%-8s %7s  %q", t.Type, t.Amount.Decimal.StringFixed(2), t.Note)
	}
	return nil
}

func (d *tour) users(ctx context.Context) error {
	users, err := whozex.Collect(d.client.AllUsers(ctx, whozex.ListUsersParams{Search: "john"}))
	if err != nil {
		return err
	}
	for _, user := range users {
		printLine(d.out, "user", "%s <%s>, balance %s, packages %d", user.Name, user.Email, usd(user.Balance), user.PackageCount)
	}
	return nil
}

func (d *tour) statistics(ctx context.Context) error {
	stats, err := d.client.GetAccountStats(ctx)
	if err != nil {
		return err
	}
	overview, err := d.client.GetAnalyticsOverview(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(stats.GBByProxyType)) {
		printLine(d.out, "stats", "%s %s GB", name, stats.GBByProxyType[name])
	}
	for _, name := range slices.Sorted(maps.Keys(overview.Balances)) {
		printLine(d.out, "analytics", "balance of %s %s", name, usd(overview.Balances[name]))
	}
	return nil
}

// insufficientBalance shows how to distinguish errors.
func (d *tour) insufficientBalance(ctx context.Context) error {
	_, err := d.client.PurchasePackage(ctx, d.user.ID, whozex.PurchasePackageParams{GB: 1000})
	if !errors.Is(err, whozex.ErrInsufficientBalance) {
		return fmt.Errorf("want ErrInsufficientBalance, got %w", err)
	}
	printLine(d.out, "error", "%v", err)
	return nil
}

// newKey replaces the API key. The old one is revoked.
func (d *tour) newKey(ctx context.Context) error {
	key, err := d.client.RegenerateKey(ctx)
	if err != nil {
		return err
	}
	if _, err := d.client.GetAccount(ctx); err != nil {
		return err
	}
	printLine(d.out, "new key", "%s, which the client uses from now on", key.APIKey)
	return nil
}

// endpointsCalled counts the routes with a successful response in the server's request
// log.
func endpointsCalled(server *whozextest.Server) int {
	routes := map[whozex.Operation]bool{}
	for _, request := range server.RequestLog() {
		op := request.Operation
		if op == whozex.OpDeductBalance {
			op = whozex.OpAddBalance // the same route
		}
		if request.Status == http.StatusOK {
			routes[op] = true
		}
	}
	return len(routes)
}
