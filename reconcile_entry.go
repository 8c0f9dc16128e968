package whozex

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// history is the account's transactions, as far as they were read.
type history struct {
	*listing
	entries []entry
	ages    itemAges
	window  window
}

// entry is a transaction with all its fields.
type entry struct {
	Transaction
	fields []field
}

// history reads all transactions.
func (c *Client) history(ctx context.Context, unknown *OutcomeUnknownError) (*history, error) {
	l, err := c.readWhole(ctx, OpListTransactions, "/account/transactions")
	if err != nil {
		return nil, err
	}
	h := &history{listing: l, ages: itemAges{now: l.latest}, window: c.window(unknown, l)}
	if l.gap == "" && l.now.IsZero() {
		l.gap = "the server does not say its time"
	}
	for _, item := range l.items {
		var e entry
		readable := json.Unmarshal(item, &e.Transaction) == nil
		e.fields, readable = fieldsOf(item, readable)
		if (!readable || e.CreatedAt.IsZero() || !e.Amount.Valid) && l.gap == "" {
			l.gap = "there are transactions whose fields cannot be read: look at the history"
		}
		h.ages.add(string(e.Type), e.CreatedAt)
		h.entries = append(h.entries, e)
	}
	return h, nil
}

const (
	// A history without an entry from before the call must be this short, and the call
	// this recent: otherwise the call's entry may have been dropped from its end.
	shortHistory = 20
	recentCall   = 24 * time.Hour
	// currentHistory is the age of the newest entry of a type up to which its clock
	// counts as that of the server, to decide whether entries were dropped.
	currentHistory = 5 * time.Minute
)

// whyIncomplete returns why a missing entry proves nothing; empty if it does. A server may
// keep the latest entries only, so the history needs one from before the call.
func (h *history) whyIncomplete() string {
	if h.gap != "" {
		return h.gap
	}
	for _, e := range h.entries {
		lively := !h.window.earliest.IsZero() && h.ages.behind(h.ages.newest[string(e.Type)]) < currentHistory
		if h.ages.tooOld(string(e.Type), e.CreatedAt, h.window) || lively && e.CreatedAt.Before(h.window.sent) {
			return ""
		}
	}
	if h.window.known && len(h.entries) < shortHistory && h.window.from.Add(recentCall).After(h.now) {
		return ""
	}
	return "the history may not reach back to the call: look for it there"
}

// fieldsOf reads the fields of an object. A repeated name makes it unreadable.
func fieldsOf(item json.RawMessage, readable bool) (fields []field, ok bool) {
	names := map[string]bool{}
	whole := readObject(item, func(name string, value json.RawMessage, _ []byte) {
		folded := strings.ToLower(name)
		readable = readable && !names[folded]
		names[folded] = true
		fields = append(fields, field{name, value})
	})
	return fields, readable && whole
}

// known reports whether the type is documented.
func (e entry) known() bool {
	return e.Type == TransactionDeposit || e.Type == TransactionPurchase || e.Type == TransactionAddGB
}

// field returns the value of a field; nil without one.
func (e entry) field(name string) json.RawMessage {
	for _, f := range e.fields {
		if f.name == name {
			return f.value
		}
	}
	return nil
}

// texts returns all texts and numbers of the entry, at any depth, except those of fields
// that never contain a note.
func (e entry) texts() []string {
	var texts []string
	for _, f := range e.fields {
		switch f.name {
		case "id", "type", "amount", "balance_after", "created_at":
			continue
		}
		texts = appendTexts(texts, f.value)
	}
	return texts
}

func appendTexts(texts []string, value json.RawMessage) []string {
	var nested any
	if json.Unmarshal(value, &nested) != nil {
		return texts
	}
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, item := range v {
				collect(item)
			}
		case map[string]any:
			for name, item := range v {
				texts = append(texts, name)
				collect(item)
			}
		}
	}
	if text := textOf(value); text != "" {
		return append(texts, text)
	}
	collect(nested)
	return texts
}

// mentions reports whether any text of the entry contains text, whatever its case and
// spacing.
func (e entry) mentions(text string) bool {
	wanted := canonical(text)
	for _, t := range e.texts() {
		if strings.Contains(t, text) || wanted != "" && strings.Contains(canonical(t), wanted) {
			return true
		}
	}
	return false
}

// truncates reports whether any text of the entry may be text truncated, alone or after
// words of the server.
func (e entry) truncates(text string) bool {
	const least = 3 // letters that do not match by chance
	wanted := canonical(text)
	for _, t := range e.texts() {
		got := canonical(t)
		if got == "" {
			continue
		}
		if strings.HasPrefix(wanted, got) {
			return true
		}
		for n := least; n <= min(len(wanted), len(got)); n++ {
			if strings.HasSuffix(got, wanted[:n]) {
				return true
			}
		}
	}
	return false
}

// hasLettersOf reports whether any text of the entry contains the letters and digits of
// text in order, with anything in between: a space may have become "%20" or "&nbsp;".
func (e entry) hasLettersOf(text string) bool {
	wanted := []rune(canonical(text))
	for _, t := range e.texts() {
		found := 0
		for _, r := range canonical(t) {
			if found < len(wanted) && r == wanted[found] {
				found++
			}
		}
		if found == len(wanted) {
			return true
		}
	}
	return false
}

// canonical returns the letters and digits of a text in lower case.
func canonical(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

// refersTo reports whether a text of the entry contains the id of another.
func (e entry) refersTo(id string) bool {
	for _, t := range e.texts() {
		for i := strings.Index(t, id); id != "" && i >= 0; i = strings.Index(t, id) {
			before, after := t[:i], t[i+len(id):]
			if !endsInWord(before) && !beginsWithWord(after) {
				return true
			}
			t = after
		}
	}
	return false
}

func endsInWord(t string) bool {
	r, _ := utf8.DecodeLastRuneInString(t)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func beginsWithWord(t string) bool {
	r, _ := utf8.DecodeRuneInString(t)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// mismatch returns why an entry that may be the call's does not prove that the call was
// carried out; empty if it does.
func (h *history) mismatch(e *entry, asked callDetails) string {
	for _, f := range e.fields {
		if !e.isHarmless(f, asked) {
			return "its field " + f.name + " is not understood, or says that it did not count"
		}
	}
	amount := e.Amount.Decimal
	switch asked.op {
	case OpAddBalance, OpDeductBalance:
		wanted := asked.Amount.Decimal
		if asked.op == OpDeductBalance {
			wanted = wanted.Neg()
		}
		if e.Type != TransactionDeposit {
			return "it is of another type"
		}
		if !amount.Equal(wanted) {
			return "it has another amount"
		}
	case OpAddGB, OpPurchasePackage:
		wanted := TransactionPurchase
		if asked.op == OpAddGB {
			wanted = TransactionAddGB
		}
		if e.Type != wanted {
			return "it is of another type"
		}
		if !amount.IsNegative() {
			return "it took nothing from a balance"
		}
	}
	switch {
	case e.Note != asked.Note:
		return "it has another note"
	case h.ages.mixed:
		return "the times of the history and of the server do not agree"
	case !h.window.holds(e.CreatedAt):
		return "it is of another time"
	}
	for i := range h.entries {
		if other := &h.entries[i]; other != e && h.mayReverse(other, e) {
			return "another transaction may take it back"
		}
	}
	return ""
}

// mayReverse reports whether other may be the reversal of e, whose time agrees with the
// server's. Its note does not matter: a reversal may have any.
func (h *history) mayReverse(other, e *entry) bool {
	kind := string(other.Type)
	// The clock cannot have been set back since by more than the age of the newest entry.
	before := other.Type == e.Type && latest(other.CreatedAt).Add(h.ages.behind(h.ages.newest[kind])+clockSlack).Before(e.CreatedAt)
	if before || h.ages.tooOld(kind, other.CreatedAt, h.window) {
		return false
	}
	sameID := e.ID != "" && other.ID == e.ID
	return sameID || other.Amount.Decimal.Equal(e.Amount.Decimal.Neg()) || other.refersTo(e.ID)
}

// isHarmless reports whether a field of an entry certainly does not mean that the entry
// is another call's or does not count.
func (e entry) isHarmless(f field, asked callDetails) bool {
	text := textOf(f.value)
	switch f.name {
	case "id", "type", "amount", "created_at":
		return true
	case "note", "description":
		return isEmpty(f.value) || text == asked.Note
	case "balance_after", "balance_before":
		return string(f.value) == "null" || decimalOf(f.value).Valid
	case "status":
		return countedStates[strings.ToLower(text)]
	case "success", "completed":
		return string(f.value) == "true"
	case "updated_at":
		return sameTime(text, e.CreatedAt)
	case "currency":
		return text == "USD"
	case "action":
		return text == asked.Action
	case "user_id":
		return asked.op != OpAddGB && text == asked.id
	case "package_id":
		return asked.op == OpAddGB && text == asked.id || asked.op == OpPurchasePackage && text != ""
	case "gb":
		gb := decimalOf(f.value)
		return gb.Valid && asked.GB > 0 && gb.Decimal.IsInteger() && gb.Decimal.IntPart() == int64(asked.GB)
	case "proxy_type":
		return asked.op == OpPurchasePackage && (text == string(asked.ProxyType) || asked.ProxyType == "" && text == string(ProxyResidential))
	}
	return negativeFields[f.name] && isNo(f.value)
}

// sameTime reports whether an item has not changed since it was created.
func sameTime(updated string, created time.Time) bool {
	at, ok := dateOf(updated)
	return ok && at.Sub(created).Abs() <= clockSlack
}

// negativeFields mean nothing if their value is no.
var negativeFields = map[string]bool{
	"failed": true, "reversed": true, "refunded": true, "voided": true, "cancelled": true, "canceled": true,
	"deleted": true, "pending": true, "blocked": true, "error": true, "failure_reason": true,
	"failed_at": true, "reversed_at": true, "refunded_at": true, "voided_at": true, "cancelled_at": true,
	"canceled_at": true, "deleted_at": true,
}

func isNo(value json.RawMessage) bool {
	return string(value) == "null" || string(value) == "false" || string(value) == `""`
}

// countedStates are the states of an entry that counts.
var countedStates = map[string]bool{
	"completed": true, "complete": true, "success": true, "successful": true, "succeeded": true, "done": true,
}
