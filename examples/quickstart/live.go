package main

import (
	"context"
	"fmt"
	"io"

	"github.com/whozex/whozex-go"
)

// runLive makes reading calls only, so that it is safe with a real key.
func runLive(ctx context.Context, client *whozex.Client, out io.Writer) error {
	printLine(out, "live", "WHOZEX_API_KEY is set: reading calls only, nothing is spent or changed")
	account, err := client.GetAccount(ctx)
	if err != nil {
		return err
	}
	printLine(out, "account", "%s, balance %s", account.Name, usd(account.Balance))
	pricing, err := client.GetPricing(ctx)
	if err != nil {
		return err
	}
	printLine(out, "pricing", "%d plans", len(pricing.Plans))
	quote, err := client.CalculatePrice(ctx, 20)
	if err != nil {
		return err
	}
	printLine(out, "quote", "20 GB cost %s", usd(quote.Total))
	users, err := client.ListUsers(ctx, whozex.ListUsersParams{})
	if err != nil {
		return err
	}
	printLine(out, "users", "%d", users.Pagination.Total)
	transactions, err := client.ListTransactions(ctx, whozex.ListTransactionsParams{})
	if err != nil {
		return err
	}
	printLine(out, "transactions", "%d", transactions.Pagination.Total)
	stats, err := client.GetAccountStats(ctx)
	if err != nil {
		return err
	}
	printLine(out, "stats", "%d days in the chart", len(stats.Chart))
	overview, err := client.GetAnalyticsOverview(ctx)
	if err != nil {
		return err
	}
	printLine(out, "analytics", "%d days in the chart", len(overview.Chart))
	_, err = fmt.Fprintln(out, "done: 7 reading calls")
	return err
}
