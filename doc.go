// Package whozex is a client for the Whozex Reseller API, through which
// resellers manage sub-users, balances, proxy packages and webhooks.
//
//	client, err := whozex.New("wx_live_example")
//	if err != nil {
//		return err
//	}
//	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
//
// Of the responses, the API's page documents
//
//	all fields    GetAccount, CreateUser, AddBalance, DeductBalance, PurchasePackage,
//	              GetCredentials, GetPricing, CalculatePrice, CreateWebhook
//	two fields    GetPackage: remaining_gb and live; the others are inferred
//	no field      GetAccountStats, ListTransactions, RegenerateKey, ListUsers, AddGB,
//	              GetUsage, GetAnalyticsOverview: their names are inferred
//
// Each method of [Client] is one call of the API and its doc comment names the
// route. What the API's page documents only by its purpose, without names, is
// said to be inferred. Every result has two methods: RawJSON returns the JSON that it
// was decoded from, and Unread the paths of what was missing or could not be read. Struct tags named api say the same of each field to programs, and
// docs/api-coverage.md lists it all.
//
// Money is decimal.Decimal, in US dollars, and exact both ways.
//
// Money is never spent twice. The API has no idempotency key, so a call that may
// change something is sent again only on proof that it did nothing: the
// connection could not be made, or the answer was 429 (that 429 means "not done"
// is HTTP's word, not the API page's). When there is no telling, the error is an
// [*OutcomeUnknownError], matches [ErrOutcomeUnknown], and holds whatever
// arrived. Check for it before any other sentinel.
//
// A Client obeys a 429's Retry-After with all its calls at once, and then keeps
// to the rate that it has seen get through.
package whozex
