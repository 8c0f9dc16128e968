package modeltest

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// past are entries from before the call, so that the history provably reaches back to it.
func past(n int, kind whozex.TransactionType, ago time.Duration) (entries []booking) {
	for i := range n {
		entries = append(entries, booking{Ago: ago + time.Duration(i)*time.Minute, Kind: kind, Amount: "20", Note: "payment"})
	}
	return entries
}

// since are entries from after the call.
func since(n int, after time.Duration, kind whozex.TransactionType) (entries []booking) {
	for i := range n {
		entries = append(entries, booking{Ago: -after - time.Duration(i)*time.Second, Kind: kind, Amount: "20", Note: "payment"})
	}
	return entries
}

// TestReconcile_NamedWorlds runs Reconcile in single worlds. The expected reason names the
// premise that fails, so that no case passes because of another premise.
func TestReconcile_NamedWorlds(t *testing.T) {
	const add, deduct, buy, create = whozex.OpAddBalance, whozex.OpDeductBalance, whozex.OpPurchasePackage, whozex.OpCreateUser
	tests := []struct {
		name    string
		world   world
		later   time.Duration // two minutes if not given
		stored  bool          // Reconcile runs in another process
		verdict whozex.Verdict
		reason  string // contains this
	}{
		{
			name:    "a purchase whose package is not provisioned yet",
			world:   world{Op: buy, Fate: counts, Counted: true, Provisioned: time.Hour, Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "not exactly one package more",
		},
		{
			name: "a package counted whose failed purchase is not in the history yet, beside another's purchase",
			world: world{Op: buy, Fate: undone, Counted: true, Hangs: true, Shows: 20 * time.Second, Provisioned: 20 * time.Second, Latency: 9 * time.Second,
				OwnFields: `,"status":"failed"`, Others: append(past(3, whozex.TransactionDeposit, time.Minute), booking{Ago: -6 * time.Second, Kind: whozex.TransactionPurchase, Amount: "-45"})},
			later:   time.Millisecond,
			verdict: whozex.OutcomeUndecided, reason: "more than one transaction",
		},
		{
			name:    "a history grouped by type",
			world:   world{Op: add, Note: "order 5", Fate: counts, Order: "grouped", PageSize: 10, Others: past(30, whozex.TransactionAddGB, time.Hour)},
			verdict: whozex.OutcomeApplied,
		},
		{
			name: "local times marked as UTC, a purchase",
			world: world{Op: buy, Fate: counts, Counted: true, Provisioned: time.Hour, CreatedAhead: -5 * time.Hour,
				Others: past(3, whozex.TransactionPurchase, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "not exactly one package more",
		},
		{
			name:    "local times marked as UTC, a user",
			world:   world{Op: create, Email: "john@example.com", Fate: counts, CreatedAhead: -5 * time.Hour},
			verdict: whozex.OutcomeUndecided, reason: "the time of its creation does not say",
		},
		{
			name:  "a local clock an hour fast at sending",
			world: world{Op: add, Note: "order 5", Fate: counts, LocalAhead: time.Hour}, stored: true,
			verdict: whozex.OutcomeApplied,
		},
		{
			name:  "a local clock an hour slow at sending, asked at once",
			world: world{Op: add, Note: "order 5", Fate: neverDone, LocalAhead: -time.Hour}, later: time.Second, stored: true,
			verdict: whozex.OutcomeUndecided, reason: "not yet",
		},
		{
			name:  "a server's clock set an hour forward since, asked at once",
			world: world{Op: add, Note: "order 5", Fate: neverDone, DateSet: time.Hour}, later: time.Second, stored: true,
			verdict: whozex.OutcomeUndecided, reason: "not yet",
		},
		{
			name:  "both clocks set forward since, asked at once",
			world: world{Op: create, Email: "john@example.com", Fate: counts, Commit: time.Second, LocalAhead: -12 * time.Hour, DateSet: time.Hour}, later: time.Millisecond, stored: true,
			verdict: whozex.OutcomeUndecided, reason: "was set since the call",
		},
		{
			name:    "pages alone say how long the list is",
			world:   world{Op: add, Note: "order 5", Fate: counts, Order: "oldest", PageSize: 10, Paging: `{"pages":%[3]d}`, Others: past(40, whozex.TransactionDeposit, time.Hour)},
			verdict: whozex.OutcomeUndecided, reason: "how long the list is",
		},
		{
			name:    "a total that counts one page",
			world:   world{Op: add, Note: "order 5", Fate: counts, Order: "oldest", PageSize: 10, Paging: `{"total":10,"page":%[2]d,"pages":1,"has_next":false}`, Others: past(29, whozex.TransactionDeposit, time.Hour)},
			verdict: whozex.OutcomeUndecided, reason: "more than it counts",
		},
		{
			name:    "one page too few",
			world:   world{Op: add, Note: "order 5", Fate: counts, Order: "oldest", PageSize: 10, Paging: `{"total":%[1]d,"page":%[2]d,"pages":1,"has_next":false}`, Others: past(29, whozex.TransactionDeposit, time.Hour)},
			verdict: whozex.OutcomeApplied,
		},
		{
			name:  "the grace is not over when the attempt hung until its timeout",
			world: world{Op: add, Note: "order 5", Fate: counts, Hangs: true, Commit: 69 * time.Second}, later: 55 * time.Second,
			verdict: whozex.OutcomeUndecided, reason: "not yet",
		},
		{
			name:    "an email lower-cased",
			world:   world{Op: create, Email: "John@Example.com", StoredEmail: "john@example.com", Fate: counts},
			verdict: whozex.OutcomeApplied,
		},
		{
			name:    "an email at another domain of its provider",
			world:   world{Op: create, Email: "john@googlemail.com", StoredEmail: "john@gmail.com", Fate: counts},
			verdict: whozex.OutcomeUndecided, reason: "stored the email as",
		},
		{
			name:    "an email without what follows a hyphen",
			world:   world{Op: create, Email: "john-shop@yahoo.com", StoredEmail: "john@yahoo.com", Fate: counts},
			verdict: whozex.OutcomeUndecided, reason: "stored the email as",
		},
		{
			name:    "an email at a provider's longer domain",
			world:   world{Op: create, Email: "john@ya.ru", StoredEmail: "john@yandex.ru", Fate: counts},
			verdict: whozex.OutcomeUndecided, reason: "stored the email as",
		},
		{
			name:    "an email at an international domain",
			world:   world{Op: create, Email: "j@bücher.example", StoredEmail: "j@xn--bcher-kva.example", Fate: counts},
			verdict: whozex.OutcomeUndecided, reason: "written otherwise",
		},
		{
			name:    "an email whose mailbox stood in a subdomain",
			world:   world{Op: create, Email: "info@john.mail.example", StoredEmail: "john@mail.example", Fate: counts},
			verdict: whozex.OutcomeUndecided, reason: "stored the email as",
		},
		{
			// Between the two pages the third item is dropped and one is added at the end.
			name: "an entry moved onto a page already read",
			world: world{Op: add, Note: "order 5", Fate: counts, Order: "oldest", PageSize: 5, Latency: 2 * time.Second, Drops: true,
				Others: slices.Concat(past(5, whozex.TransactionDeposit, 3*hour), since(4, time.Second, whozex.TransactionDeposit), since(1, 121*time.Second, whozex.TransactionDeposit))},
			verdict: whozex.OutcomeUndecided, reason: "lost an item",
		},
		{name: "an entry that failed", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"status":"failed"`}, verdict: whozex.OutcomeUndecided, reason: "field status"},
		{name: "an entry reversed", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"status":"reversed"`}, verdict: whozex.OutcomeUndecided, reason: "field status"},
		{name: "an entry without success", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"success":false`}, verdict: whozex.OutcomeUndecided, reason: "field success"},
		{name: "an entry with a field not understood", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"result":7`}, verdict: whozex.OutcomeUndecided, reason: "field result"},
		{name: "a reversal that names the entry by a short id", world: world{Op: add, Note: "order 5", Fate: undone, Others: []booking{{Kind: "misc", Amount: "-49", Note: "takes T-0 back"}}}, verdict: whozex.OutcomeUndecided, reason: "may take it back"},
		{name: "a reversal whose note says nothing of it", world: world{Op: add, Note: "order 5", Fate: undone, Others: []booking{{Kind: whozex.TransactionDeposit, Note: "admin adjustment"}}}, verdict: whozex.OutcomeUndecided, reason: "may take it back"},
		{name: "a reversal dated without a time", world: world{Op: add, Note: "order 5", Fate: undone, Others: []booking{{Kind: whozex.TransactionDeposit, Dated: true}}}, verdict: whozex.OutcomeUndecided, reason: "may take it back"},
		{name: "a reversal among entries without ids", world: world{Op: add, Note: "order 5", Fate: undone, ID: "-", Others: []booking{{Kind: whozex.TransactionDeposit}}}, verdict: whozex.OutcomeUndecided, reason: "may take it back"},
		{name: "a second entry with the id", world: world{Op: add, Note: "order 5", Fate: undone, ID: `"id":"T-7",`, Paging: `{"total":1}`, Others: []booking{{Kind: "void", Amount: "0", Note: "closed"}}}, verdict: whozex.OutcomeUndecided, reason: "may take it back"},
		{name: "the opposite an hour before", world: world{Op: add, Note: "order 5", Fate: counts, Others: []booking{{Ago: time.Hour, Kind: whozex.TransactionDeposit, Amount: "-50", Note: "order 4"}}}, verdict: whozex.OutcomeApplied},
		{name: "an entry changed later", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"updated_at":"2000-01-02T00:00:30Z"`}, verdict: whozex.OutcomeUndecided, reason: "field updated_at"},
		{name: "an entry in another currency", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"currency":"EUR"`}, verdict: whozex.OutcomeUndecided, reason: "field currency"},
		{name: "an amount rounded", world: world{Op: add, Note: "order 5", Fate: undone, OwnAmount: "50.01"}, verdict: whozex.OutcomeUndecided, reason: "another amount"},
		{name: "an entry of another user", world: world{Op: add, Note: "order 5", Fate: undone, OwnFields: `,"user_id":"u2"`}, verdict: whozex.OutcomeUndecided, reason: "field user_id"},
		{name: "an entry of the call's user", world: world{Op: add, Note: "order 5", Fate: counts, OwnFields: `,"user_id":"u1"`}, verdict: whozex.OutcomeApplied},
		{name: "an entry of the opposite sign", world: world{Op: deduct, Note: "order 5", Fate: undone, OwnAmount: "50"}, verdict: whozex.OutcomeUndecided, reason: "another amount"},
		{name: "a note with its blank escaped", world: world{Op: add, Note: "order 5", Fate: counts, StoredNote: "order&nbsp;5", Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "another form"},
		{name: "a note left out, and another amount", world: world{Op: add, Note: "order 5", Fate: counts, StoredNote: "-", OwnAmount: "0", Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "left out"},
		{
			// Sent at 23:59 and dated 00:00; the newest entry is dated the next midnight.
			name: "a purchase by the day, with another after midnight",
			world: world{Op: buy, Fate: counts, Grain: day, Commit: time.Second,
				Others: append(past(3, whozex.TransactionDeposit, 9*day), booking{Ago: -2 * time.Minute, Kind: whozex.TransactionPurchase, Amount: "-18", Fields: `,"user_id":"other-0"`}), Users: []string{"a@example.com"}},
			later: 3 * time.Minute, verdict: whozex.OutcomeUndecided, reason: "may be the purchase",
		},
		{name: "no field for the note beside a description", world: world{Op: add, Note: "order 5", Fate: counts, Memo: "-", Fields: `,"description":"Balance change"`, Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "left out"},
		{name: "a cache that says so", world: world{Op: add, Note: "order 5", Fate: reversed, Cached: hour, Aged: true, Others: []booking{{Ago: -time.Second, Kind: "refund"}}}, verdict: whozex.OutcomeUndecided, reason: "a cache responded"},
		{name: "a cache that does not say so", world: world{Op: add, Note: "order 5", Fate: counts, Commit: 9 * time.Second, Cached: hour}, verdict: whozex.OutcomeUndecided, reason: "as a cache may have given it"},
		{name: "a note left out of an entry of a type that is not documented", world: world{Op: add, Note: "order 5", Fate: counts, OwnKind: "payment", StoredNote: "-", Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "left out"},
		{name: "a note left out beside a description", world: world{Op: add, Note: "order 5", Fate: counts, StoredNote: "-", Fields: `,"description":"Balance change"`, Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "left out"},
		{name: "a note replaced by a dash", world: world{Op: add, Note: "order 5", Fate: counts, StoredNote: "--", Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "left out"},
		{name: "a purchase provisioned in part", world: world{Op: buy, Fate: counts, Counted: true, OwnFields: `,"gb":3`, Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "field gb"},
		{name: "a note stored as a number", world: world{Op: add, Note: "0012", Fate: counts, StoredNote: "12", Others: past(3, whozex.TransactionDeposit, 3*day)}, verdict: whozex.OutcomeUndecided, reason: "in another form"},
		{
			// Each entry of another type is five hours behind; the call's own was dropped.
			name: "a history that keeps 20 entries of two clocks",
			world: world{Op: add, Note: "order 5", Fate: counts, Keeps: 20, KindAhead: map[whozex.TransactionType]time.Duration{whozex.TransactionAddGB: -5 * time.Hour},
				Others: slices.Concat(since(10, time.Second, whozex.TransactionAddGB), since(10, 100*time.Second, whozex.TransactionDeposit))},
			verdict: whozex.OutcomeUndecided, reason: "may not reach back",
		},
		{
			// A call sent at 23:59 is dated the first second of that day.
			name: "a purchase whose time was cut to its date later",
			world: world{Op: buy, Fate: counts, Provisioned: 30 * day, OldGrain: day, Had: 1, Counted: true,
				Others: append(past(3, whozex.TransactionDeposit, 9*day), booking{Ago: -2 * time.Hour, Kind: whozex.TransactionPurchase, Amount: "-18", Fields: `,"user_id":"other-0"`}), Users: []string{"a@example.com"}},
			later: 2*time.Hour + time.Minute, verdict: whozex.OutcomeUndecided, reason: "may be the purchase",
		},
		{
			name: "a purchase by a clock that is behind, with another by one that is ahead",
			world: world{Op: buy, Fate: counts, Counted: true, Provisioned: 30 * day, CreatedAhead: -5 * time.Hour, Users: []string{"a@example.com"},
				Others: append(past(3, whozex.TransactionDeposit, 3*day), booking{Ago: -time.Minute, Ahead: 6 * time.Hour, Kind: whozex.TransactionPurchase, Amount: "-18", Fields: `,"user_id":"other-0"`})},
			verdict: whozex.OutcomeUndecided, reason: "may be the purchase",
		},
		{
			name:    "a purchase that adds GB to a package there was",
			world:   world{Op: buy, Fate: counts, SoldAs: "GB", Had: 1, Counted: true, Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "GB were added",
		},
		{
			name:    "a purchase of a type that is not documented",
			world:   world{Op: buy, Fate: counts, OwnKind: "payment", Provisioned: 30 * day, Counted: true, Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "may be the purchase",
		},
		{
			name:    "a purchase that names who sold it",
			world:   world{Op: buy, Fate: counts, OwnFields: `,"user_id":"reseller"`, Provisioned: 30 * day, Counted: true, Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "may be the purchase",
		},
		{
			// The users were read before the grace was over, and the history after.
			name:  "a free purchase between the reading of two lists",
			world: world{Op: buy, Fate: counts, SoldAs: "free", Counted: true, Commit: 59 * time.Second, Latency: 9 * time.Second, LocalAhead: -time.Hour},
			later: 53 * time.Second, stored: true, verdict: whozex.OutcomeUndecided, reason: "has changed",
		},
		{
			name:    "a purchase that is free",
			world:   world{Op: buy, Fate: counts, SoldAs: "free", Had: 1, Counted: true, Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "has changed",
		},
		{
			name:    "a purchase that is free, and the packages were not counted",
			world:   world{Op: buy, Fate: counts, SoldAs: "free", Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "not known how many packages",
		},
		{
			name:    "an entry of no amount",
			world:   world{Op: buy, Fate: undone, OwnAmount: "0", Counted: true, Others: past(3, whozex.TransactionDeposit, 3*day)},
			verdict: whozex.OutcomeUndecided, reason: "took nothing",
		},
		{
			name:    "a purchase asked for in another account",
			world:   world{Op: buy, Fate: counts, Elsewhere: true},
			verdict: whozex.OutcomeUndecided, reason: "not among the account's users",
		},
		{
			name:    "a user whose created_at moves with each change",
			world:   world{Op: create, Email: "john@example.com", Fate: neverDone, There: 9 * day, Touch: true},
			verdict: whozex.OutcomeUndecided, reason: "may have been there before",
		},
		{
			name:    "another purchase half an hour before",
			world:   world{Op: buy, Fate: counts, Counted: true, Others: append(past(3, whozex.TransactionDeposit, 3*day), booking{Ago: 30 * time.Minute, Kind: whozex.TransactionPurchase, Amount: "-45"})},
			verdict: whozex.OutcomeUndecided, reason: "more than one",
		},
		{
			name:    "another purchase three hours before",
			world:   world{Op: buy, Fate: counts, Counted: true, Others: []booking{{Ago: 3 * time.Hour, Kind: whozex.TransactionPurchase, Amount: "-45"}}},
			verdict: whozex.OutcomeApplied,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(23*time.Hour + 59*time.Minute) // of a virtual clock
				w := test.world
				client, err := w.client()
				require.NoError(t, err)
				unknown := w.lose(t, client)
				if test.later == 0 {
					test.later = 2 * time.Minute
				}
				time.Sleep(test.later) // of a virtual clock
				if test.stored {
					unknown = w.stored(unknown)
					client, err = w.client()
					require.NoError(t, err)
				}
				outcome, err := client.Reconcile(t.Context(), unknown)
				require.NoError(t, err)
				assert.Equal(t, test.verdict, outcome.Verdict, outcome.Reason)
				assert.True(t, strings.Contains(outcome.Reason, test.reason), outcome.Reason)
			})
		})
	}
}
