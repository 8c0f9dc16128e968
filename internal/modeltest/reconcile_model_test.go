package modeltest

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go"
)

var worlds = flag.Int("worlds", defaultWorlds, "number of random worlds in which Reconcile is asked")

// tally counts verdicts.
type tally map[string]map[whozex.Verdict]int

func (t tally) add(row string, v whozex.Verdict) {
	if t[row] == nil {
		t[row] = map[whozex.Verdict]int{}
	}
	t[row][v]++
}

// ask calls Reconcile at once, later, and with a stored record in a new process. Every
// verdict must be true.
func (w *world) ask(t *rapid.T, later time.Duration, counted tally) {
	client, err := w.client()
	require.NoError(t, err)
	unknown := w.lose(t, client)
	look := func(when string, client *whozex.Client, record *whozex.OutcomeUnknownError) {
		asked := time.Now()
		shown := w.done(asked)
		outcome, err := client.Reconcile(context.Background(), record)
		require.NoError(t, err)
		require.NotEmpty(t, outcome.Reason)
		row := fmt.Sprintf("%-15s %-10s %s", w.Op, w.Fate, when)
		if w.Fate == counts && w.mayBeReversed() {
			row += ", perhaps reversed"
		}
		switch {
		case w.right(outcome.Verdict, asked):
			counted.add(row, outcome.Verdict)
		case !w.promised(unknown) && outcome.Verdict == whozex.OutcomeNotApplied && !shown:
			counted.add(row+", beyond the grace", outcome.Verdict)
		default:
			t.Fatalf("%s: %s is wrong: %s\n%+v\n%+v", when, outcome.Verdict, outcome.Reason, outcome, *w)
		}
	}
	restart := func(when string) {
		other, err := w.client()
		require.NoError(t, err)
		look(when, other, w.stored(unknown))
	}
	look("at once", client, unknown)
	restart("stored at once")
	time.Sleep(later) // of a virtual clock
	look("later", client, unknown)
	restart("stored later")
}

// mayBeReversed reports whether another entry has the opposite amount and may be from after
// the call: only then may a call that counts stay undecided.
func (w *world) mayBeReversed() bool {
	own := map[whozex.Operation]string{whozex.OpAddBalance: "50", whozex.OpDeductBalance: "-50"}[w.Op]
	return own != "" && slices.ContainsFunc(w.Others, func(e booking) bool {
		return e.Ago < 10*time.Minute && e.Amount != "" && dec(e.Amount).Equal(dec(own).Neg())
	})
}

// explore checks number random worlds.
func explore(t *testing.T, number int, draw func(*rapid.T, *world), laters ...time.Duration) (counted tally) {
	t.Helper()
	counted = tally{}
	checks := flag.Lookup("rapid.checks")
	before := checks.Value.String()
	require.NoError(t, checks.Value.Set(strconv.Itoa(number)))
	defer func() { require.NoError(t, checks.Value.Set(before)) }()
	rapid.Check(t, func(t *rapid.T) {
		var w world
		draw(t, &w)
		later := one(t, "later", laters...)
		start := time.Duration(rapid.IntRange(0, 24*60*60).Draw(t, "second of the day")) * time.Second
		rapid.SyncTest(t, func(t *rapid.T) {
			time.Sleep(start) // of a virtual clock
			w.ask(t, later, counted)
		})
	})
	for _, row := range slices.Sorted(maps.Keys(counted)) {
		n := counted[row]
		t.Logf("%-45s applied %5d, not applied %5d, undecided %5d", row, n[whozex.OutcomeApplied], n[whozex.OutcomeNotApplied], n[whozex.OutcomeUndecided])
	}
	return counted
}

var lost = []whozex.Operation{whozex.OpCreateUser, whozex.OpAddBalance, whozex.OpDeductBalance, whozex.OpAddGB, whozex.OpPurchasePackage, whozex.OpPurchasePackage}

func one[T any](t *rapid.T, name string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, name)
}

// drawCall draws the lost call, and other events on a server like the sandbox.
func drawCall(t *rapid.T, w *world) {
	w.Op = one(t, "op", lost...)
	if w.Op != whozex.OpPurchasePackage { // which has none
		w.Note = "order 5"
	}
	w.Email = one(t, "email", "john@example.com", "jane.doe@example.org")
	w.Fate = one(t, "fate", neverDone, counts)
	w.Counted = one(t, "counted", true, true, false)
	w.Hangs = one(t, "hangs", false, false, true)
	others(t, w, "payment", "top-up", "for Ann", "invoice 7")
}

// others draws the other entries of the history, and users.
func others(t *rapid.T, w *world, notes ...string) {
	chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "others"), 0))
	pick := func(values ...string) string { return values[chance.IntN(len(values))] }
	add := func(ago time.Duration) {
		e := booking{Ago: ago, Note: pick(notes...)}
		switch chance.IntN(4) {
		case 0, 1:
			e.Kind, e.Amount = whozex.TransactionDeposit, pick("50", "-50", "20", "12.5")
		case 2:
			e.Kind, e.Amount, e.Note = whozex.TransactionPurchase, pick("-7.5", "-18", "-45"), ""
		default:
			e.Kind, e.Amount = whozex.TransactionAddGB, pick("-7.5", "-9")
		}
		w.Others = append(w.Others, e)
	}
	span := one(t, "span", time.Hour, 20*time.Hour, 90*24*time.Hour)
	for range one(t, "past", 0, 1, 3, 8, 22, 40) {
		add(time.Duration(chance.Int64N(int64(span))))
	}
	for range one(t, "since", 0, 0, 1, 3) {
		add(-time.Duration(chance.Int64N(int64(2 * time.Minute))))
	}
	for i := range one(t, "users", 0, 2, 12) {
		w.Users = append(w.Users, fmt.Sprintf("user%d@example.com", i))
	}
}

const (
	hour = time.Hour
	day  = 24 * hour
)

func offset(t *rapid.T) time.Duration {
	return one(t, "offset", -12*hour, -5*hour, -hour, -time.Minute, -3*time.Second, 3*time.Second, time.Minute, hour, 5*hour+45*time.Minute, 14*hour)
}

// Ways in which a server or a clock may differ from the sandbox: at any operation, at
// those that the history decides, and at some of them.
var (
	quirks = []func(*rapid.T, *world){
		func(t *rapid.T, w *world) {
			w.Commit = one(t, "commit", time.Second, 9*time.Second, 40*time.Second, 59*time.Second, 69*time.Second, 3*time.Minute, hour)
		},
		func(t *rapid.T, w *world) { w.Shows = one(t, "shows", time.Second, 20*time.Second) },
		func(t *rapid.T, w *world) {
			w.OwnFields = one(t, "own fields", `,"status":"failed"`, `,"status":"reversed"`, `,"success":false`, `,"state":"declined"`, `,"currency":"EUR"`,
				`,"voided_at":"2000-01-01T00:00:00Z"`, `,"is_reversal":true`, `,"details":{"outcome":"rejected"}`, `,"user_id":"u2"`, `,"updated_at":"2000-02-01T00:00:30Z"`)
			if w.Fate != neverDone {
				w.Fate = undone
			}
		},
		func(_ *rapid.T, w *world) { w.Unmet = true },
		func(t *rapid.T, w *world) { w.Order = one(t, "order", "oldest", "grouped", "mixed") },
		func(t *rapid.T, w *world) { w.PageSize = one(t, "page size", 1, 5, 10) },
		func(t *rapid.T, w *world) {
			if w.Deepest > 0 {
				return // nothing tells a list of ten items from one that shows and counts only ten
			}
			w.PageSize = 10
			w.Paging = one(t, "paging", `{}`, `{"page":%[2]d}`, `{"pages":%[3]d}`, `{"total":%[1]d}`, `{"has_next":%[4]t}`, `{"total":"%[1]d","page":"%[2]d"}`,
				`{"total":10,"page":%[2]d,"pages":1,"has_next":false}`, `{"total":%[1]d,"page":%[2]d,"pages":1,"has_next":false}`, `{"total":100000,"page":1}`)
		},
		func(t *rapid.T, w *world) {
			w.Deepest, w.Order = 10, one(t, "order", "oldest", "newest")
			w.Paging = one(t, "paging", "", `{}`, `{"total":%[1]d,"page":%[2]d}`)
		},
		func(_ *rapid.T, w *world) { w.Moves, w.PageSize = true, 5 },
		func(_ *rapid.T, w *world) { w.Drops, w.PageSize = true, 5 },
		func(t *rapid.T, w *world) {
			w.Cached, w.Aged = one(t, "cached", 5*time.Second, 100*time.Second, 2*hour), one(t, "aged", false, true)
		},
		func(t *rapid.T, w *world) {
			w.Latency = one(t, "latency", 50*time.Millisecond, 2*time.Second, 9*time.Second)
		},
		func(t *rapid.T, w *world) {
			ahead := offset(t)
			w.DateAhead, w.MetaAhead, w.CreatedAhead = ahead, ahead, ahead
		},
		func(t *rapid.T, w *world) { w.MetaAhead += offset(t) },
		func(t *rapid.T, w *world) { w.DateSet = offset(t) },
		func(_ *rapid.T, w *world) { w.NoDate = true },
		func(_ *rapid.T, w *world) { w.NoMeta = true },
		func(t *rapid.T, w *world) { w.CreatedAhead += offset(t) },
		func(t *rapid.T, w *world) {
			w.Jump, w.JumpAfter = one(t, "jump", -hour, hour), one(t, "jump after", -hour, 5*time.Second, hour)
			w.CreatedAhead = one(t, "ahead before", 0, -w.Jump)
		},
		func(t *rapid.T, w *world) { w.Grain = one(t, "grain", time.Second, time.Minute, hour, day) },
		func(t *rapid.T, w *world) { w.OldGrain = one(t, "old grain", hour, day) },
		func(t *rapid.T, w *world) { w.Node = one(t, "node", -4*time.Second, 4*time.Second) },
		func(t *rapid.T, w *world) { w.LocalAhead = offset(t) },
	}
	quirksOfHistories = []func(*rapid.T, *world){
		func(t *rapid.T, w *world) { // an own reversal
			if w.Fate == counts {
				w.Fate = reversed
				w.Others = append(w.Others, booking{
					Ago: -one(t, "reversed after", 0, 3*time.Second, 10*time.Minute), Kind: one(t, "reversal", whozex.TransactionDeposit, whozex.TransactionPurchase, "refund"),
					Dated: one(t, "dated", false, true), Note: one(t, "reason", "", "reversal of T-0", "order 5 refunded", "Storno", "admin adjustment"),
				})
			}
		},
		func(t *rapid.T, w *world) { w.OwnAmount = one(t, "own amount", "50", "-50", "0", "-49.5", "7.5") },
		func(_ *rapid.T, w *world) { w.OwnKind = "payment" },
		func(_ *rapid.T, w *world) { // entries name their users
			w.OwnFields = `,"user_id":"u1"` + w.OwnFields
			for i := range w.Others {
				w.Others[i].Fields = fmt.Sprintf(`,"user_id":"other-%d"`, i%4)
			}
		},
		func(t *rapid.T, w *world) { w.Keeps = one(t, "keeps", 20, 25, 60) },
		func(t *rapid.T, w *world) {
			w.Fields = one(t, "fields", `,"status":"completed"`, `,"user_id":null`, `,"source":"api"`, `,"balance_after":1`, `,"description":"Balance change"`, `,"type":"all"`)
		},
		func(t *rapid.T, w *world) { w.Memo = one(t, "memo", "description", "memo", "-") },
		func(_ *rapid.T, w *world) { w.Loose = true },
		func(t *rapid.T, w *world) { w.ID = one(t, "id", "-", `"id":null,"ref":"#",`, `"id":#,`) },
		func(t *rapid.T, w *world) {
			w.Others = append(w.Others, since(25, time.Second, one(t, "kind since", whozex.TransactionDeposit, whozex.TransactionAddGB))...)
		},
		func(t *rapid.T, w *world) {
			kind := one(t, "kind", whozex.TransactionDeposit, whozex.TransactionPurchase, whozex.TransactionAddGB)
			w.KindAhead = map[whozex.TransactionType]time.Duration{kind: offset(t)}
		},
		func(t *rapid.T, w *world) { others(t, w, "payment", "top-up") },
	}
	quirksOfNotes = []func(*rapid.T, *world){
		func(t *rapid.T, w *world) {
			w.StoredNote = one(t, "stored note", "ORDER 5", " order 5 ", "Balance: order 5", "order 5 (API)", "ord", "Balance: ord", "order&nbsp;5", "order%205", "-", "--")
		},
		func(t *rapid.T, w *world) {
			w.Note = one(t, "odd note", "0012", "1.50", "12345678901234567890", "a & b")
			w.StoredNote = map[string]string{"0012": "12", "1.50": "1.5", "12345678901234567890": "1.2345678901234567e+19", "a & b": "a &amp; b"}[w.Note]
		},
		func(t *rapid.T, w *world) { others(t, w, "order 55", "order 4", "", "or", "order 5 too") },
	}
	quirksOfPurchases = []func(*rapid.T, *world){
		func(t *rapid.T, w *world) { w.Provisioned = one(t, "provisioned", time.Second, time.Minute, 30*day) },
		func(t *rapid.T, w *world) { w.SoldAs = one(t, "sold as", "GB", "free") },
		func(t *rapid.T, w *world) { w.Had = one(t, "had", 1, 3) },
		func(_ *rapid.T, w *world) { w.Elsewhere = true },
		func(t *rapid.T, w *world) { w.OwnFields += one(t, "own user", `,"user_id":"reseller"`, `,"gb":5`) },
		func(t *rapid.T, w *world) { // others buy too
			for range one(t, "sold", 1, 2) {
				w.Others = append(w.Others, booking{Ago: offset(t), Kind: whozex.TransactionPurchase, Amount: "-18", Fields: one(t, "to", "", `,"user_id":"other-0"`)})
			}
		},
	}
	quirksOfUsers = []func(*rapid.T, *world){
		func(t *rapid.T, w *world) {
			w.There, w.Touch = one(t, "there", 3*day, 90*day), one(t, "touch", false, true)
		},
		func(t *rapid.T, w *world) {
			w.Email = one(t, "odd email", "John@Example.com", "j.doe+shop@gmail.com", "john@googlemail.com", "john-shop@yahoo.com", "john@ya.ru", "j@bücher.example")
			w.StoredEmail = map[string]string{
				"John@Example.com": "john@example.com", "j.doe+shop@gmail.com": "jdoe@gmail.com", "john@googlemail.com": "john@gmail.com",
				"john-shop@yahoo.com": "john@yahoo.com", "john@ya.ru": "john@yandex.ru", "j@bücher.example": "j@xn--bcher-kva.example",
			}[w.Email]
		},
		func(_ *rapid.T, w *world) { w.StoredEmail = "j***@example.com" },
	}
)

// drawQuirks makes the server differ from the sandbox in some ways at a time.
func drawQuirks(t *rapid.T, w *world) {
	drawCall(t, w)
	apt := [][]func(*rapid.T, *world){quirks, quirksOfHistories, quirksOfNotes}
	switch w.Op {
	case whozex.OpCreateUser:
		apt = [][]func(*rapid.T, *world){quirks, quirksOfUsers}
	case whozex.OpPurchasePackage:
		apt[2] = quirksOfPurchases
	}
	for range rapid.IntRange(1, 5).Draw(t, "quirks") {
		of := apt[rapid.IntRange(0, len(apt)-1).Draw(t, "of")]
		of[rapid.IntRange(0, len(of)-1).Draw(t, "quirk")](t, w)
	}
	if w.SoldAs == "free" {
		w.Provisioned = 0 // otherwise nothing shows it within the grace
		if w.Fate != neverDone {
			w.Fate = counts // no entry shows anything else
		}
	}
	if !w.Aged && (w.Fate == reversed || w.Unmet || w.NoDate) {
		w.Cached = 0 // otherwise nothing shows the reversal, or that a response is old
	}
	w.Provisioned += w.Shows
	if w.Op == whozex.OpCreateUser && w.There != 0 {
		w.Fate = neverDone
	}
}

func TestReconcile_RandomWorlds(t *testing.T) {
	explore(t, *worlds, drawQuirks, time.Second, 30*time.Second, 65*time.Second, 75*time.Second, 2*time.Minute, hour, 26*hour, 8*day)
}

func TestReconcile_WorldsLikeTheSandbox(t *testing.T) {
	counted := explore(t, max(*worlds/5, 500), drawCall, 2*time.Minute)
	for _, op := range lost {
		for of, least := range map[fate]float64{counts: 1, neverDone: 0.8} {
			if op == whozex.OpPurchasePackage {
				least = 0.1 // others buy, and PackagesBefore is not always set
			}
			n := counted[fmt.Sprintf("%-15s %-10s later", op, of)]
			decided := float64(n[whozex.OutcomeApplied] + n[whozex.OutcomeNotApplied])
			assert.GreaterOrEqual(t, decided, least*(decided+float64(n[whozex.OutcomeUndecided])), "%s, %s", op, of)
		}
	}
}
