package modeltest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whozex/whozex-go"
)

// fate is the true outcome of a world's call.
type fate string

const (
	neverDone fate = "never done"
	counts    fate = "counts"
	undone    fate = "undone"   // refused, so that no verdict is right
	reversed  fate = "reversed" // counts until another entry reverses it
)

// booking is an entry of a world's history other than that of the call.
type booking struct {
	Ago          time.Duration // before the call; negative: after it
	Kind         whozex.TransactionType
	Amount, Note string        // no amount: reverses the call's entry, Ago after it counted
	Fields       string        // more fields, such as `,"a":1`
	Dated        bool          // its created_at is a date without a time
	Ahead        time.Duration // of the other entries' clock
}

func (b booking) at(w *world) time.Time {
	if b.Amount == "" {
		return w.sent.Add(w.Commit - b.Ago)
	}
	return w.sent.Add(-b.Ago)
}

// world is a server, the clocks around it, and one call whose response is lost: everything
// that Reconcile cannot see. Its zero value behaves as the sandbox does.
type world struct {
	Op          whozex.Operation
	Note, Email string
	Fate        fate
	Commit      time.Duration // after sending
	Shows       time.Duration // in the lists, after Commit
	Provisioned time.Duration // the package, after Commit
	Hangs       bool          // until the timeout, instead of a reset
	Counted     bool          // PackagesBefore is set
	Unmet       bool          // no response was received before the call

	Had    int    // packages of the buyer before
	SoldAs string // a purchase adds GB to an existing package, or is free and has no entry

	OwnFields   string // more fields of the call's entry or user
	OwnAmount   string // if other than requested
	OwnKind     whozex.TransactionType
	StoredNote  string // as the server stores the note; "" is as it is, "-" leaves it out
	StoredEmail string

	Order    string // newest (default), oldest, grouped, mixed
	PageSize int    // maximum, whatever is requested
	Deepest  int    // the number of items that pages can show
	Keeps    int    // the number of latest entries that are kept
	Paging   string // the pagination, with verbs for total, page and pages, and has_next
	Fields   string // more fields of all entries
	ID       string // of all entries; # is their number, and - is none
	Memo     string // name of the note's field
	Loose    bool   // amounts are strings

	Latency      time.Duration // of each response
	Node         time.Duration // every other response is from a node whose clock is ahead by this
	Drops        bool          // the third of the other entries disappears once a page was read
	Moves        bool          // the last item moves to the front, and back, between any two reads
	Cached       time.Duration // responses, by a cache in between
	Aged         bool          // the cache sends Age
	Elsewhere    bool          // Reconcile uses another account, which is empty
	DateAhead    time.Duration // relative to true time
	DateSet      time.Duration // how far the clock of responses is set forward after the call
	MetaAhead    time.Duration
	NoMeta       bool
	NoDate       bool
	CreatedAhead time.Duration
	KindAhead    map[whozex.TransactionType]time.Duration // further
	Jump         time.Duration                            // how far created_at jumps, JumpAfter the call
	JumpAfter    time.Duration
	Grain        time.Duration // of created_at
	OldGrain     time.Duration // the same for entries older than an hour
	LocalAhead   time.Duration // of the local clock when the call was sent; right later

	Others []booking
	Users  []string      // emails of other users, created long ago
	There  time.Duration // how long before the call the email was registered; 0: it was not
	Touch  bool          // that user has changed since, which changed created_at

	began, sent time.Time
	reads       int
	cache       map[string]cached
}

type cached struct {
	body  string
	date  []string
	until time.Time
}

const (
	worldTimeout = 10 * time.Second
	worldGrace   = time.Minute
	fullPaging   = `{"total":%[1]d,"page":%[2]d,"pages":%[3]d,"has_next":%[4]t}`
)

var monotonic = time.Now()

func (w *world) client() (*whozex.Client, error) {
	return whozex.New(testKey, whozex.WithHTTPClient(&http.Client{Transport: roundTrip(w.serve)}),
		whozex.WithTimeout(worldTimeout), whozex.WithGrace(worldGrace))
}

// lose makes the call.
func (w *world) lose(t interface{ Fatalf(string, ...any) }, client *whozex.Client) *whozex.OutcomeUnknownError {
	w.began = time.Now()
	ctx := context.Background()
	if !w.Unmet {
		_, _ = client.GetAccount(ctx)
	}
	var err error
	switch w.Op {
	case whozex.OpCreateUser:
		_, err = client.CreateUser(ctx, whozex.CreateUserParams{Email: w.Email})
	case whozex.OpAddBalance:
		_, err = client.AddBalance(ctx, "u1", dec("50"), w.Note)
	case whozex.OpDeductBalance:
		_, err = client.DeductBalance(ctx, "u1", dec("50"), w.Note)
	case whozex.OpAddGB:
		_, err = client.AddGB(ctx, "PKG-1", whozex.AddGBParams{GB: 5, Note: w.Note})
	case whozex.OpPurchasePackage:
		_, err = client.PurchasePackage(ctx, "u1", whozex.PurchasePackageParams{GB: 5})
	}
	unknown, ok := errors.AsType[*whozex.OutcomeUnknownError](err)
	if !ok {
		t.Fatalf("the outcome is known: %v", err)
	}
	for page := 1; w.Cached > 0 && page <= 2; page++ {
		_, _ = client.ListUsers(ctx, whozex.ListUsersParams{Page: page, Limit: 100})
		_, _ = client.ListTransactions(ctx, whozex.ListTransactionsParams{Page: page, Limit: 100})
	}
	// In a synctest bubble times have no monotonic reading.
	unknown.SentAt = monotonic.Add(unknown.SentAt.Sub(monotonic.Round(0)))
	if w.Counted {
		unknown.PackagesBefore = new(w.Had)
	}
	return unknown
}

// stored returns the record as another process decodes it.
func (w *world) stored(unknown *whozex.OutcomeUnknownError) *whozex.OutcomeUnknownError {
	text, _ := unknown.Reveal()
	var record whozex.OutcomeUnknownError
	_ = json.Unmarshal(text, &record)
	record.SentAt, record.Until = record.SentAt.Add(w.LocalAhead), record.Until.Add(w.LocalAhead)
	return &record
}

// promised reports whether the call is visible within the grace, as the caller of
// Reconcile promises.
func (w *world) promised(unknown *whozex.OutcomeUnknownError) bool {
	return w.Commit+w.Shows <= unknown.Until.Sub(unknown.SentAt)+worldGrace
}

// right reports whether the verdict of a Reconcile that began at some time is true.
func (w *world) right(v whozex.Verdict, asked time.Time) bool {
	switch v {
	case whozex.OutcomeApplied:
		takenBack := slices.ContainsFunc(w.Others, func(b booking) bool { return b.Amount == "" && !b.at(w).After(asked) })
		return (w.Fate == counts || w.Fate == reversed && !takenBack) && !time.Now().Before(w.sent.Add(w.Commit))
	case whozex.OutcomeNotApplied:
		return w.Fate == neverDone
	}
	return true
}

func (w *world) serve(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost {
		w.sent = time.Now()
		if w.Hangs {
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		return nil, io.ErrUnexpectedEOF
	}
	at := time.Now()
	if kept, ok := w.cache[req.URL.String()]; ok && at.Before(kept.until) {
		if w.Aged {
			kept.date = append(slices.Clip(kept.date), "Age", "7")
		}
		return reply(req, 200, kept.body, kept.date...), nil
	}
	w.reads++
	node := time.Duration(w.reads%2) * w.Node
	time.Sleep(w.Latency) // of a virtual clock
	if !w.sent.IsZero() {
		node += w.DateSet
	}
	var header []string
	if !w.NoDate {
		header = []string{"Date", time.Now().Add(w.DateAhead + node).UTC().Format(http.TimeFormat)}
	}
	meta := ""
	if !w.NoMeta {
		meta = at.Add(w.MetaAhead + node).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	data := account
	switch {
	case strings.HasSuffix(req.URL.Path, "/transactions"):
		data = w.page("transactions", w.history(at), req)
	case strings.HasSuffix(req.URL.Path, "/users"):
		data = w.page("users", w.userList(at), req)
	}
	body := fmt.Sprintf(`{"success":true,"data":%s,"meta":{"timestamp":%q,"version":"1.0.0"}}`, data, meta)
	if w.Cached > 0 && !w.sent.IsZero() {
		if w.cache == nil {
			w.cache = map[string]cached{}
		}
		w.cache[req.URL.String()] = cached{body, header, at.Add(w.Cached)}
	}
	return reply(req, 200, body, header...), nil
}

func (w *world) page(name string, items []string, req *http.Request) string {
	if w.Elsewhere {
		items = nil
	}
	if w.Moves && len(items) > 1 && w.reads%2 == 0 {
		items = slices.Concat(items[len(items)-1:], items[:len(items)-1])
	}
	page, _ := strconv.Atoi(req.FormValue("page"))
	limit, _ := strconv.Atoi(req.FormValue("limit"))
	if w.PageSize > 0 {
		limit = min(limit, w.PageSize)
	}
	pages := max(1, (len(items)+limit-1)/limit)
	shown := items
	if w.Deepest > 0 {
		shown = items[:min(len(items), w.Deepest)]
	}
	from, to := min((page-1)*limit, len(shown)), min(page*limit, len(shown))
	paging := cmp.Or(w.Paging, fullPaging)
	if strings.Contains(paging, "%") {
		// With an explicit argument index Sprintf does not report unused arguments.
		paging = fmt.Sprintf(paging+"%[5]s", len(items), page, pages, page < pages, "")
	}
	return fmt.Sprintf(`{%q:[%s],"pagination":%s}`, name, strings.Join(shown[from:to], ","), paging)
}

// created returns created_at of an item of a kind that was truly created at the time at.
func (w *world) created(kind whozex.TransactionType, at time.Time) string {
	shown := at.Add(w.CreatedAhead + w.KindAhead[kind])
	if w.Jump != 0 && !at.Before(w.sent.Add(w.JumpAfter)) {
		shown = shown.Add(w.Jump)
	}
	grain := w.Grain
	if time.Since(at) > time.Hour {
		grain = max(grain, w.OldGrain)
	}
	return shown.Truncate(max(grain, time.Millisecond)).UTC().Format("2006-01-02T15:04:05.000Z")
}

func (w *world) done(now time.Time) bool {
	return w.Fate != neverDone && !w.sent.IsZero() && !now.Before(w.sent.Add(w.Commit+w.Shows))
}

func (w *world) history(now time.Time) []string {
	own := booking{Ago: -w.Commit, Note: w.Note, Fields: w.OwnFields}
	switch w.StoredNote {
	case "":
	case "-":
		own.Note = ""
	default:
		own.Note = w.StoredNote
	}
	switch w.Op {
	case whozex.OpAddBalance:
		own.Kind, own.Amount = whozex.TransactionDeposit, "50"
	case whozex.OpDeductBalance:
		own.Kind, own.Amount = whozex.TransactionDeposit, "-50"
	case whozex.OpAddGB:
		own.Kind, own.Amount = whozex.TransactionAddGB, "-7.5"
	case whozex.OpPurchasePackage:
		own.Kind, own.Amount = whozex.TransactionPurchase, "-7.5"
		switch w.SoldAs {
		case "GB":
			own.Kind = whozex.TransactionAddGB
		case "free":
			own.Kind = ""
		}
	}
	own.Amount = cmp.Or(w.OwnAmount, own.Amount)
	if own.Kind != "" {
		own.Kind = cmp.Or(w.OwnKind, own.Kind)
	}
	type placed struct {
		booking
		id int
		at time.Time
	}
	var all []placed
	for i, e := range w.Others {
		if at := e.at(w); !at.After(now) && (!w.Drops || i != 2 || e.Amount == "" || w.reads < 3) {
			all = append(all, placed{e, i + 1, at})
		}
	}
	if own.Kind != "" && w.done(now) {
		all = append(all, placed{own, 0, w.sent.Add(w.Commit)})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return b.at.Compare(a.at) })
	if w.Keeps > 0 {
		all = all[:min(len(all), w.Keeps)]
	}
	switch w.Order {
	case "oldest":
		slices.Reverse(all)
	case "grouped":
		slices.SortStableFunc(all, func(a, b placed) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	case "mixed":
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	items := make([]string, len(all))
	for i, e := range all {
		amount, note := e.Amount, ""
		if amount == "" {
			amount = dec(own.Amount).Neg().String()
		}
		if w.Loose {
			amount = strconv.Quote(dec(amount).StringFixed(2))
		}
		if name := cmp.Or(w.Memo, "note"); name != "-" {
			note = fmt.Sprintf(`%q:%s,`, name, text(e.Note))
		}
		created := w.created(e.Kind, e.at.Add(e.Ahead))
		if e.Dated {
			created = created[:len(time.DateOnly)]
		}
		id := strings.Trim(strings.ReplaceAll(cmp.Or(w.ID, `"id":"T-#",`), "#", strconv.Itoa(e.id)), "-")
		items[i] = fmt.Sprintf(`{%s"type":%q,"amount":%s,%s"created_at":%q%s%s}`,
			id, e.Kind, amount, note, created, w.Fields, e.Fields)
	}
	return items
}

// text returns a JSON string, or null for an empty one.
func text(s string) string {
	if s == "" {
		return "null"
	}
	return strconv.Quote(s)
}

func (w *world) userList(now time.Time) []string {
	packages := w.Had
	if w.Op == whozex.OpPurchasePackage && w.SoldAs != "GB" && w.done(now) && !now.Before(w.sent.Add(w.Commit+w.Provisioned)) {
		packages++
	}
	user := func(id, email string, packages int, at time.Time, fields string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"email":%q,"balance":0.00,"package_count":%d,"created_at":%q%s}`,
			id, strings.Split(email, "@")[0], email, packages, w.created("", at), fields)
	}
	items := []string{user("u1", "buyer@shop.example", packages, w.began.AddDate(0, 0, -90), "")}
	for i, email := range w.Users {
		items = append(items, user(fmt.Sprint("other-", i), email, 1, w.began.Add(-time.Duration(i+50)*24*time.Hour), ""))
	}
	stored := cmp.Or(w.StoredEmail, w.Email)
	switch {
	case w.Op != whozex.OpCreateUser:
	case w.There != 0 && w.Touch:
		items = append(items, user("there", stored, 1, w.sent.Add(time.Second), w.OwnFields))
	case w.There != 0:
		items = append(items, user("there", stored, 0, w.sent.Add(-w.There), w.OwnFields))
	case w.done(now):
		items = append(items, user("new", stored, 0, w.sent.Add(w.Commit), w.OwnFields))
	}
	if w.Order == "oldest" {
		slices.Reverse(items)
	}
	return items
}
