// Package whozex is a client for the Whozex Reseller API, through which
// resellers manage sub-users, balances, proxy packages and webhooks.
//
// The API's page documents every route and its parameters. Of the responses and of the
// rest it says:
//
//	                              documented              inferred
//	GetAccount                    all fields              null for last_used_at, custom_price_per_gb
//	GetAccountStats               their purpose           all fields
//	ListTransactions              pagination              the list's name, all fields of an item
//	RegenerateKey                 its purpose             the field's name
//	ListUsers                     pagination              the list's name, all fields of an item
//	CreateUser                    all fields
//	AddBalance                    all fields
//	DeductBalance                 all fields
//	PurchasePackage               all fields              null for expires_at
//	GetPackage                    remaining_gb, live      all other fields
//	AddGB                         its purpose             all fields
//	GetCredentials                all fields
//	GetUsage                      their purpose           all fields
//	GetPricing                    all fields              null for custom_price_per_gb
//	CalculatePrice                all fields
//	GetAnalyticsOverview          their purpose           all fields
//	CreateWebhook                 all fields
//	PackageCreated                all fields
//	data of other events          nothing                 nothing: it is raw JSON
//	ErrInsufficientBalance        its code                status 402
//	ErrRateLimited, Retry-After   that there are limits   status 429, the header
//	RateLimit                     nothing                 all headers that it is read from
//
// The comments of types and methods do not repeat it. Inferred names are read
// leniently: each result has RawJSON, the JSON that it was decoded from, and Unread, the
// paths of what was missing or could not be read. The struct tag api says the same of
// each field to programs, and docs/api-coverage.md lists them.
//
// Each method of [Client] is one call of the API, whose route ends its comment:
//
//	client, err := whozex.New("wx_live_example")
//	if err != nil {
//		return err
//	}
//	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
//
// Money is decimal.Decimal, in US dollars, and exact both ways.
//
// Money is never spent twice. The API has no idempotency key, so a call that may
// change something is sent again only on proof that it did nothing: the
// connection could not be made, or the response was 429 (that 429 means "not done"
// is HTTP's word, not the API page's). When there is no telling, the error is an
// [*OutcomeUnknownError], matches [ErrOutcomeUnknown], and holds whatever
// arrived. Check for it before any other sentinel.
//
// A Client obeys a 429's Retry-After with all its calls at once, and then keeps
// to the rate that it has seen get through.
package whozex
