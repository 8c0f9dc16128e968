// Package idempotency gives the mutating calls of the Whozex API what the API has
// not: idempotency keys. The same key, however often and from however many
// processes, is carried out once, whatever crashes in between.
//
//	store, err := idempotency.Open(ctx, "sqlite:orders.db")
//	once := idempotency.New(client, store)
//	pkg, err := once.PurchasePackage(ctx, "order-1001", userID, whozex.PurchasePackageParams{GB: 20})
//
// A row is committed before a request leaves, and again when it has ended. When a
// key comes again:
//
//	succeeded       the stored result, without a request
//	failed          it certainly did nothing, and is tried again
//	pending         [ErrInProgress] while its process lives; if that died, as indeterminate
//	indeterminate   [whozex.Client.Reconcile] looks for traces. If it cannot tell,
//	                an [IndeterminateError] says what a person needs
//
// Nothing is ever sent on a guess. [Once.Settle] goes through what is open,
// [Once.HandleEvent] settles purchases by their events, and [Once.Resolve] is for
// what only a person can decide; [WithOnSettled] lets know of each. The same key with other parameters is
// [ErrKeyReused]. Parameters that the client refuses, and a store that cannot be
// written, are errors before anything is sent, and leave no row.
//
// # Keys
//
// A key names what is to happen in the world, such as an order or a payment, and
// not the attempt: take it from there. It goes into the note of AddBalance,
// DeductBalance and AddGB as "key order-1001 once", by which Reconcile finds the
// call in the history. Notes of letters, digits and " -_.:", of 100 characters
// with the key, are found for certain; others may stay indeterminate.
//
// # Processes that die or stop
//
// A pending row has a lease that its process renews, by the database's clock
// alone. When it runs out, others may settle the row; they still send nothing
// before Reconcile says that the first request was not carried out, which it does
// not say within the client's grace. A process that was stopped meanwhile and goes
// on finds its claim gone and does not send: [ErrFenced]. What no store can
// prevent: a process that stops for longer than lease and grace in the
// microseconds between its last check and the write to the network. Only the API
// could refuse that request.
//
// # What the rows hold
//
// The tables are plain, and their files are in schema: look in with sqlite3 or
// psql. Responses are stored as they came, so the column response holds proxy
// passwords and webhook secrets, and record may: see [WithEncryption].
//
//	SELECT idempotency_key, operation, state, reason FROM whozex_operations WHERE state = 'indeterminate';
package idempotency
