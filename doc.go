// Package whozex is a client for the Whozex Reseller API, through which resellers manage
// sub-users, balances, proxy packages and webhooks.
//
//	client, err := whozex.New("wx_live_example")
//	if err != nil {
//		return err
//	}
//	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
//
// # Documented and inferred
//
// The API's documentation has every route and its parameters. Of the responses and the
// rest it has:
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
// The comments of types and methods do not repeat this. Each result has RawJSON, the JSON
// that it was decoded from, and Unread, the paths of the fields that are missing or could
// not be decoded. The struct tag api has the same information for programs, and
// docs/api-coverage.md lists every field.
//
// # Calls and errors
//
// Each method of [Client] is one call of the API, and its comment ends with the route.
// Errors match the sentinels of this package by [errors.Is]; [Error] has the details.
// Amounts of money are decimal.Decimal in US dollars, sent and received without rounding.
//
// # Retries and unknown outcomes
//
// Reads are retried. The API has no idempotency key, so a mutating call is retried only
// if it provably did nothing: the connection could not be made, or the response was 429
// (that 429 means "not done" follows from HTTP; the API does not document it). If that is
// unknown, the error is an [*OutcomeUnknownError], which matches [ErrOutcomeUnknown] and
// has everything that was received. Check for it before any other sentinel, do not repeat
// the call, and let [Client.Reconcile] look for evidence.
//
// After a 429 all calls of a client wait for Retry-After, and the client then adapts its
// rate, see [RateLimit].
package whozex
