// Package idempotency adds idempotency keys to the mutating calls of the Whozex
// API, which has none. A call with the same key is carried out once, no matter how
// often it is made, from how many processes, and which of them crash.
//
//	store, err := idempotency.Open(ctx, "sqlite:orders.db")
//	once := idempotency.New(client, store)
//	pkg, err := once.PurchasePackage(ctx, "order-1001", userID, whozex.PurchasePackageParams{GB: 20})
//
// The state of a key is committed to the database before a request is sent and
// again after it has ended. It decides what happens when the key is used again:
//
//	succeeded       returns the stored result, without a request
//	failed          nothing was done: sends the request again
//	pending         returns [ErrInProgress] while the process that sent it is
//	                alive; after that, as for indeterminate
//	indeterminate   asks [whozex.Client.Reconcile] whether the call was carried
//	                out. If it cannot decide, returns an [IndeterminateError]
//
// A request is never sent again while its outcome is unknown. [Once.Settle]
// resolves all open keys, [Once.HandleEvent] resolves purchases from their events,
// and [Once.Resolve] records the decision of a person. [WithOnSettled] calls a
// function for each resolved key.
//
// The same key with other parameters returns [ErrKeyReused]. Invalid parameters and
// a database that cannot be written are errors before anything is sent, and leave no
// row.
//
// # Keys
//
// Derive the key from what the call is for, such as an order or a payment, and not
// from the attempt. The note of AddBalance, DeductBalance and AddGB contains the key
// as "key order-1001 once", which Reconcile searches for in the transaction
// history. It certainly finds notes of letters, digits and " -_.:" of up to 100
// characters with the key. Calls with other notes may stay indeterminate.
//
// # Crashed and suspended processes
//
// A pending row has a lease, which its process renews. Leases use the database's
// clock only. Once the lease is over, other processes may resolve the row. They send
// nothing until Reconcile reports that the first request was not carried out, which
// it never does within the client's grace period. If the first process was only
// suspended, it finds that it has lost its claim and does not send: [ErrFenced].
//
// One case remains: a process that is suspended for longer than lease and grace
// period between its last check and the write to the network, a few microseconds.
// Only the API could refuse that request.
//
// # Stored data
//
// The tables can be read with sqlite3 or psql; their definitions are in the folder
// schema. Responses are stored verbatim, so the column response contains proxy
// passwords and webhook secrets, and record may too: see [WithEncryption].
//
//	SELECT idempotency_key, operation, state, reason FROM whozex_operations WHERE state = 'indeterminate';
package idempotency
