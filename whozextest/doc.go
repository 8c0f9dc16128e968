// Package whozextest is a fake server of the Whozex Reseller API for tests and for
// development: a server on loopback that speaks HTTP, keeps balances, users,
// packages, transactions and webhooks in memory, and fails on demand.
//
//	srv := whozextest.NewServer()
//	defer srv.Close()
//	client := srv.Client()
//
// No real money moves.
//
// # Documented behaviour
//
// The 16 routes, their parameters and defaults, the envelope, the pagination,
// both headers for the key, the shapes of ids, keys, proxy users and connection
// strings, the worked prices, the limit of 10 webhooks, the form of an event and
// its signature follow the public documentation, as do the error codes
// MISSING_API_KEY, INVALID_API_KEY, API_DISABLED, NOT_FOUND, MISSING_FIELD,
// INVALID_PARAMS, EMAIL_TAKEN and INSUFFICIENT_BALANCE.
//
// # The fake server's own choices
//
// Where the documentation says nothing, the fake server had to choose. The live API may
// differ in each of these:
//
//   - Statuses: INSUFFICIENT_BALANCE is a 402. A wrong method is a 405 with an
//     Allow header; that, the 429 of [WithRateLimit] and the injected 5xx carry
//     an error without a code, since none is documented for them. HEAD is a
//     wrong method.
//   - Order: the key is checked first, even on an unknown route, then the switch
//     of [Server.SetAPIDisabled], the rate limit, the route, the faults, the
//     parameters. Authorization wins over X-API-Key.
//   - Names of fields: users, transactions; those of a transaction; the new key
//     in api_key; everything in stats, usage and the overview, and the data of
//     every event but package.created.
//   - Parameters: page and limit outside their range are INVALID_PARAMS, not
//     clamped, and so is a missing gb of the calculation. Amounts have at most 8
//     decimal places and stay below 1e12; gb stays at or below 1,000,000. The
//     duration of the usage is 1d to 365d. Emails differ by more than case.
//     A request body is at most 1 MiB.
//   - Prices: below 10 GB as 10 GB, 10 to 99 GB as 10 GB, from 100 GB as 100 GB.
//     A custom price overrides the VIP price. The example of 20 GB at 1.50 fits
//     neither; WithCustomPrice(1.50) gives its figures.
//   - Lists run from newest to oldest. Transactions are from the sub-user's
//     side: added balance is a positive deposit, deducted balance a negative
//     one, purchases and added GB are negative, and balance_after is the
//     sub-user's balance. A purchase has no note.
//   - A refusal of the reseller's own balance has the same form as that of a
//     user's, and the same code.
//   - Packages stay active, also when used up or past expires_at, which is 30
//     days after the purchase. AddGB returns the cost of this addition,
//     a read with all that the package has cost, without a balance.
//   - Targeting: a city follows the country as _city-Name, with hyphens for spaces.
//     Without a country, or with any, nothing is appended and the response says any.
//   - Usage has a point for each period, up to 1,000 of them; beyond that only
//     for periods with usage.
//   - last_used_at is the key's use before this one, null at first.
//   - Webhooks: any event names are accepted and all are repeated in the response
//     (the documented example asks for three and receives two). package.low_gb is
//     sent when what remains of a package reaches 10% of its total or less,
//     coming from above. balance.added is sent for added balance alone. Events
//     come in order for each webhook, once, with 10 seconds to respond, and may
//     arrive before the response of the call that caused them. What is changed
//     through [Server]'s methods sends no event but package.low_gb;
//     [Server.SendEvent] sends any. Events for hosts that are not loopback are dropped, unless [WithDeliveriesAnywhere].
//   - The rate limit is a token bucket in real time, one for the account. No
//     header reports it unless [WithRateLimitHeaders] asks for one.
package whozextest
