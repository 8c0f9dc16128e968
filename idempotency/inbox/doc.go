// Package inbox responds to webhooks fast and handles them later: it commits an event
// to the store of package idempotency before the sender gets its 200, and workers
// handle the event afterwards, with retries.
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
// The inbox stores an event once, by its ID, however often it is delivered. A handler
// that writes to the same database does so in [Commit], whose transaction also marks
// the event as done: if the process is killed, both happened or neither. Other effects
// of a handler, such as sending a mail, happen at least once: they happen again if the
// process dies before the event is marked as done. Use the event's ID as an
// idempotency key for them.
//
// # Order
//
// Events of one stream are handled one at a time, in the order of receipt, across all
// workers and processes. The stream is data.user_id unless [WithStream] sets another.
// An event that fails delays the later events of its stream until it succeeds or is
// dead. Other streams continue, and the number of waiting events does not slow down
// the workers.
//
// # Failures
//
// If a handler returns an error or panics, its event is retried after a back-off. It is
// dead after [WithAttempts] attempts, or at once if the error wraps [ErrPermanent]. A
// dead event stays in the store: [Inbox.Dead] lists them, and [Inbox.Retry] retries
// one, after the waiting events of its stream. When a worker dies, another one claims
// its event after the lease expires. That counts as an attempt too, so that an event
// that kills its workers ends as dead.
//
// A handler keeps its event, and its worker, until it returns, even beyond
// [WithTimeout]. Another worker can start the event before that only if the process
// cannot renew the lease, or if the database's clock is set forward by more than the
// lease; then the first handler's [Commit] returns [ErrLost]. If the clock is set back,
// events wait no longer than the longest lease or back-off. Use the same settings in
// all processes of a store.
//
// # Table
//
// The table is readable with sqlite3 or psql; the SQL files are in schema. Bodies are
// stored verbatim. The rows of events that are done serve to skip redeliveries:
// [Inbox.Purge] deletes old rows, and so does [Inbox.Run] with [WithRetention].
//
//	SELECT event_id, name, attempt, reason FROM whozex_inbox WHERE state = 'dead';
package inbox
