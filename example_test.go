package whozex_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/time/rate"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// shop is the sandbox of the examples, with a user who has $50.00.
func shop() (server *whozextest.Server, client *whozex.Client, userID string) {
	server = whozextest.NewServer()
	userID, err := server.AddUser("john@example.com", "John Doe")
	if err == nil {
		err = server.SetUserBalance(userID, decimal.NewFromInt(50))
	}
	if err != nil {
		panic(err)
	}
	return server, server.Client(), userID
}

func Example() {
	server := whozextest.NewServer() // in production: whozex.FromEnv()
	defer server.Close()
	client := server.Client()
	ctx := context.Background()

	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := client.AddBalance(ctx, user.ID, decimal.NewFromInt(50), "payment 1001"); err != nil {
		fmt.Println(err)
		return
	}
	pkg, err := client.PurchasePackage(ctx, user.ID, whozex.PurchasePackageParams{GB: 20})
	switch {
	case errors.Is(err, whozex.ErrOutcomeUnknown):
		fmt.Println("it may have been bought: do not try again")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Printf("%s GB %s for $%s\n", pkg.TotalGB, pkg.ProxyType, pkg.Cost.StringFixed(2))
	}
	// Output: 20 GB residential for $18.00
}

func ExampleClient_GetAccount() {
	server, client, _ := shop()
	defer server.Close()
	account, err := client.GetAccount(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("$%s, VIP %t, %d users\n", account.Balance.StringFixed(2), account.IsVIP, account.Stats.SubUsers)
	// Output: $150.00, VIP true, 1 users
}

func ExampleClient_GetAccountStats() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	if _, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: 20}); err != nil {
		fmt.Println(err)
		return
	}
	stats, err := client.GetAccountStats(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(stats.GBByProxyType)) {
		fmt.Println(name, stats.GBByProxyType[name], "GB")
	}
	// Output:
	// datacenter 0 GB
	// mobile 0 GB
	// residential 20 GB
}

func ExampleClient_ListTransactions() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	if _, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: 20}); err != nil {
		fmt.Println(err)
		return
	}
	page, err := client.ListTransactions(ctx, whozex.ListTransactionsParams{Limit: 10, Type: whozex.TransactionPurchase})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range page.Items {
		fmt.Println(t.Type, t.Amount.Decimal.StringFixed(2))
	}
	fmt.Println(page.Pagination.Total, "in all")
	// Output:
	// purchase -18.00
	// 1 in all
}

func ExampleClient_AllTransactions() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	for i := range 3 {
		if _, err := client.AddBalance(ctx, userID, decimal.NewFromInt(10), fmt.Sprint("payment ", i)); err != nil {
			fmt.Println(err)
			return
		}
	}
	for t, err := range client.AllTransactions(ctx, whozex.ListTransactionsParams{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(t.Type, t.Amount.Decimal.StringFixed(2), t.Note)
	}
	// Output:
	// deposit 10.00 payment 2
	// deposit 10.00 payment 1
	// deposit 10.00 payment 0
}

func ExampleClient_RegenerateKey() {
	server, client, _ := shop()
	defer server.Close()
	ctx := context.Background()
	key, err := client.RegenerateKey(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Store key.APIKey.Reveal(). Printing the key gives [redacted].
	fmt.Println(key.APIKey)
	_, err = client.GetAccount(ctx)
	fmt.Println(err)
	// Output:
	// [redacted]
	// <nil>
}

func ExampleClient_ListUsers() {
	server, client, _ := shop()
	defer server.Close()
	page, err := client.ListUsers(context.Background(), whozex.ListUsersParams{Search: "john", Limit: 10})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, user := range page.Items {
		fmt.Println(user.Email, user.Balance.StringFixed(2))
	}
	// Output: john@example.com 50.00
}

func ExampleClient_AllUsers() {
	server := whozextest.NewServer(whozextest.WithUsers(250))
	defer server.Close()
	client := server.Client()
	count := 0
	for _, err := range client.AllUsers(context.Background(), whozex.ListUsersParams{}, whozex.Prefetch(2)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		count++
	}
	fmt.Println(count, "users in", server.Requests(whozex.OpListUsers), "requests")
	// Output: 250 users in 3 requests
}

func ExampleCollect() {
	server := whozextest.NewServer(whozextest.WithUsers(250))
	defer server.Close()
	users, err := whozex.Collect(server.Client().AllUsers(context.Background(), whozex.ListUsersParams{}))
	fmt.Println(len(users), err)
	// Output: 250 <nil>
}

func ExampleClient_CreateUser() {
	server, client, _ := shop()
	defer server.Close()
	_, err := client.CreateUser(context.Background(), whozex.CreateUserParams{Email: "john@example.com"})
	fmt.Println(errors.Is(err, whozex.ErrEmailTaken))
	// Output: true
}

func ExampleClient_AddBalance() {
	server, client, userID := shop()
	defer server.Close()
	// A unique note lets Reconcile resolve an unknown outcome.
	change, err := client.AddBalance(context.Background(), userID, decimal.RequireFromString("12.50"), "payment 1001")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.UserBalance.StringFixed(2), change.ResellerBalance.StringFixed(2))
	// Output: 62.50 137.50
}

func ExampleClient_DeductBalance() {
	server, client, userID := shop()
	defer server.Close()
	change, err := client.DeductBalance(context.Background(), userID, decimal.NewFromInt(20), "refund 1001")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(change.UserBalance.StringFixed(2), change.ResellerBalance.StringFixed(2))
	// Output: 30.00 170.00
}

func ExampleClient_PurchasePackage() {
	server, client, userID := shop()
	defer server.Close()
	_, err := client.PurchasePackage(context.Background(), userID, whozex.PurchasePackageParams{GB: 100, ProxyType: whozex.ProxyMobile})
	var apiErr *whozex.Error
	switch {
	case errors.Is(err, whozex.ErrOutcomeUnknown):
		fmt.Println("it may have been bought: do not try again")
	case errors.Is(err, whozex.ErrInsufficientBalance) && errors.As(err, &apiErr):
		fmt.Println(apiErr.Message)
	}
	// Output: User balance ($50.00) is insufficient. Cost: $90.00
}

func ExampleClient_GetPackage() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	bought, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	pkg, err := client.GetPackage(ctx, bought.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pkg.RemainingGB, "GB left, live:", pkg.Live)
	// Output: 20 GB left, live: true
}

func ExampleClient_AddGB() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	bought, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	pkg, err := client.AddGB(ctx, bought.ID, whozex.AddGBParams{GB: 10, Note: "extension 1001"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(pkg.TotalGB, "GB")
	// Output: 30 GB
}

func ExampleClient_GetCredentials() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	bought, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	credentials, err := client.GetCredentials(ctx, bought.ID, whozex.Targeting{Country: "TR"})
	if err != nil {
		fmt.Println(err)
		return
	}
	proxy, err := credentials.HTTPProxyURL()
	if err != nil {
		fmt.Println(err)
		return
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxy)
	fmt.Println(proxy.Scheme, proxy.Host, credentials.Targeting.Country)
	// Output: http rp.evomi.com:1000 TR
}

func ExampleClient_GetUsage() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	bought, err := client.PurchasePackage(ctx, userID, whozex.PurchasePackageParams{GB: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	usage, err := client.GetUsage(ctx, bought.ID, whozex.UsageParams{Duration: "7d", Granularity: whozex.GranularityDay})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(usage.Chart), "days")
	// Output: 7 days
}

func ExampleClient_GetPricing() {
	server, client, _ := shop()
	defer server.Close()
	pricing, err := client.GetPricing(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, plan := range pricing.Plans {
		fmt.Println(plan.Label, plan.YourPrice.StringFixed(2), plan.TotalCost.StringFixed(2))
	}
	// Output:
	// 10 GB 0.90 9.00
	// 100 GB 0.90 90.00
}

func ExampleClient_CalculatePrice() {
	server, client, _ := shop()
	defer server.Close()
	quote, err := client.CalculatePrice(context.Background(), 50)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(quote.GB, "GB cost", quote.Total.StringFixed(2))
	// Output: 50 GB cost 45.00
}

func ExampleClient_GetAnalyticsOverview() {
	server, client, _ := shop()
	defer server.Close()
	overview, err := client.GetAnalyticsOverview(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(overview.Balances)) {
		fmt.Println(name, overview.Balances[name].StringFixed(2))
	}
	// Output:
	// reseller 150.00
	// users 50.00
}

func ExampleClient_CreateWebhook() {
	server, client, _ := shop()
	defer server.Close()
	hook, err := client.CreateWebhook(context.Background(), whozex.CreateWebhookParams{
		URL:    "https://bot.example.com/webhook",
		Events: []string{whozex.EventPackageCreated, whozex.EventPackageLowGB},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Store hook.ID and hook.Secret.Reveal(): the API does not return them again.
	fmt.Println(hook.Events, hook.Secret)
	// Output: [package.created package.low_gb] [redacted]
}

func ExampleClient_Reconcile() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	// The sandbox carries the call out and drops the connection before it responds.
	server.Inject(whozex.OpAddBalance, whozextest.CommitThenDrop(), 1)
	_, err := client.AddBalance(ctx, userID, decimal.NewFromInt(10), "payment 1001")
	unknown, ok := errors.AsType[*whozex.OutcomeUnknownError](err)
	if !ok {
		fmt.Println(err)
		return
	}
	outcome, err := client.Reconcile(ctx, unknown)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(outcome.Verdict)
	// Output: applied
}

func ExampleBeforeSend() {
	server, client, userID := shop()
	defer server.Close()
	ctx := context.Background()
	stored := make(map[string][]byte) // a database, in a real shop
	server.Inject(whozex.OpAddBalance, whozextest.CommitThenDrop(), 1)
	_, err := client.AddBalance(ctx, userID, decimal.NewFromInt(10), "payment 1001",
		whozex.BeforeSend(func(unknown *whozex.OutcomeUnknownError) error {
			record, err := unknown.Reveal()
			stored["payment 1001"] = record
			return err
		}))
	fmt.Println(errors.Is(err, whozex.ErrOutcomeUnknown))

	// The program may have crashed in between.
	var unknown whozex.OutcomeUnknownError
	if err := json.Unmarshal(stored["payment 1001"], &unknown); err != nil {
		fmt.Println(err)
		return
	}
	outcome, err := client.Reconcile(ctx, &unknown)
	fmt.Println(outcome.Verdict, err)
	// Output:
	// true
	// applied <nil>
}

func ExampleClient_Do() {
	server, client, _ := shop()
	defer server.Close()
	var account struct {
		Email string `json:"email"`
	}
	err := client.Do(context.Background(), "GET", "/account", nil, nil, &account)
	fmt.Println(account.Email, err)
	// Output: reseller@example.com <nil>
}

func ExampleError() {
	server, client, _ := shop()
	defer server.Close()
	_, err := client.GetPackage(context.Background(), "PKG-000000")
	fmt.Println(errors.Is(err, whozex.ErrNotFound))
	var apiErr *whozex.Error
	if errors.As(err, &apiErr) {
		fmt.Println(apiErr.StatusCode, apiErr.Code)
	}
	// Output:
	// true
	// 404 NOT_FOUND
}

func ExampleParamError() {
	server, client, _ := shop()
	defer server.Close()
	_, err := client.GetPackage(context.Background(), "../account/regenerate-key")
	var param *whozex.ParamError
	fmt.Println(errors.As(err, &param), param.Field, errors.Is(err, whozex.ErrInvalidParams))
	fmt.Println(server.Requests(whozex.OpRegenerateKey), "requests")
	// Output:
	// true package_id true
	// 0 requests
}

func ExampleCaptureResponse() {
	server, client, _ := shop()
	defer server.Close()
	var response whozex.Response
	_, err := client.GetAccount(context.Background(), whozex.CaptureResponse(&response))
	fmt.Println(err, response.StatusCode, response.Attempts, response.Meta.Version)
	// Output: <nil> 200 1 1.0.0
}

func ExampleWithCache() {
	server := whozextest.NewServer()
	defer server.Close()
	client := server.Client(whozex.WithCache(time.Minute))
	for range 100 {
		if _, err := client.GetPricing(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(server.Requests(whozex.OpGetPricing), "request")
	// Output: 1 request
}

func ExampleWithLimiter() {
	// Ten requests a second, with a burst of five.
	client, err := whozex.New("wx_live_example", whozex.WithLimiter(rate.NewLimiter(10, 5)))
	fmt.Println(client, err)
	// Output: whozex.Client(https://api.whozex.com/v1) <nil>
}
