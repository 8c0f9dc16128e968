package main

import (
	"context"
	"fmt"
	"io"

	"github.com/whozex/whozex-go"
)

// look makes reading calls only: it is safe with a real key.
func look(ctx context.Context, client *whozex.Client, out io.Writer) error {
	say(out, "live", "WHOZEX_API_KEY is set: reading calls only, nothing is spent or changed")
	account, err := client.GetAccount(ctx)
	if err != nil {
		return err
	}
	say(out, "account", "%s, balance %s", account.Name, usd(account.Balance))
	pricing, err := client.GetPricing(ctx)
	if err != nil {
		return err
	}
	say(out, "pricing", "%d plans", len(pricing.Plans))
	quote, err := client.CalculatePrice(ctx, 20)
	if err != nil {
		return err
	}
	say(out, "quote", "20 GB cost %s", usd(quote.Total))
	users, err := client.ListUsers(ctx, whozex.ListUsersParams{})
	if err != nil {
		return err
	}
	say(out, "users", "%d", users.Pagination.Total)
	transactions, err := client.ListTransactions(ctx, whozex.ListTransactionsParams{})
	if err != nil {
		return err
	}
	say(out, "transactions", "%d", transactions.Pagination.Total)
	stats, err := client.GetAccountStats(ctx)
	if err != nil {
		return err
	}
	say(out, "stats", "%d days in the chart", len(stats.Chart))
	overview, err := client.GetAnalyticsOverview(ctx)
	if err != nil {
		return err
	}
	say(out, "analytics", "%d days in the chart", len(overview.Chart))
	_, err = fmt.Fprintln(out, "done: 7 reading calls")
	return err
}
