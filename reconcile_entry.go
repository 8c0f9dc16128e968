package whozex

import (
	"encoding/json"
	"strings"
	"time"
)

// entry is a transaction with all its fields.
type entry struct {
	Transaction
	fields   []field
	readable bool
}

func newEntry(item json.RawMessage) (e entry) {
	e.readable = e.UnmarshalJSON(item) == nil
	e.fields, e.readable = fieldsOf(item, e.readable)
	return e
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
