// Package inbox answers webhooks fast and works later: an event is committed to the
// store of package idempotency before the sender gets its 200, and workers handle
// it afterwards, with retries.
//
//	store, err := idempotency.Open(ctx, "sqlite:events.db") // or postgres://…
//	events, err := inbox.New(ctx, store)
//	http.Handle("/webhooks", verifier.Handler(events.Receive))
//	events.Run(ctx, mux.Handle) // until ctx ends
//
// Any number of processes may receive, run workers, or both, on one store.
//
// # Each event once
//
// An event is received once, by its ID, however often it is delivered. A handler
// that writes to the same database does so in [Commit], whose transaction also
// marks the event as done: whenever the process is killed, both happened or
// neither. What a handler does elsewhere, such as sending a mail, is done at least
// once: it is done again if the process dies after it and before the mark. Use the
// event's ID as an idempotency key there.
//
// # Order
//
// The events of a user, by data.user_id or as [WithStream] says, are handled one at a
// time in the order of their receipt, by all workers of all processes. One that
// fails holds up those behind it until it succeeds or is dead. Other users' events
// go on, and however many wait, a worker finds its next event at the same cost.
//
// # Failures
//
// An event whose handler returned an error or panicked is tried again after a
// back-off, and is dead after [WithAttempts], or at once if the error wraps
// [ErrPermanent]. A dead event stays in the store: [Inbox.Dead] lists them, and
// [Inbox.Retry] hands one to the workers again, behind the user's other events. An
// event whose worker died is claimed by another once its lease is over; that counts
// as an attempt too, so that an event that kills its workers ends as dead.
//
// A handler keeps its event, and its worker, until it returns, also past
// [WithTimeout]. Only when its process cannot renew the lease, or when the database's
// clock is set forward by more than a lease, does another worker begin the event
// meanwhile; then the first one's [Commit] is [ErrLost]. A clock that is set back
// delays nothing by more than the longest lease or back-off, so give all processes of
// a store the same.
//
// # What the rows hold
//
// The table is plain, and its files are in schema: look in with sqlite3 or psql.
// Bodies are stored as they came. Rows that are done are what a redelivery is
// recognized by: [Inbox.Purge] deletes old ones, or [Inbox.Run] by [WithRetention].
//
//	SELECT event_id, name, attempt, reason FROM whozex_inbox WHERE state = 'dead';
package inbox
