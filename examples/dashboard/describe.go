package main

import (
	"bytes"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// eventFormats holds the texts of events with known fields: package.created is
// documented, the others have the sandbox's names. If a field is missing, describe
// lists the event's fields instead.
var eventFormats = map[string]struct {
	format string
	fields []string
}{
	whozex.EventPackageCreated: {"%s GB for %s, %s", []string{"gb", "$cost", "package_id"}},
	whozex.EventPackageLowGB:   {"%s of %s GB left, %s", []string{"remaining_gb", "total_gb", "package_id"}},
	whozex.EventBalanceAdded:   {"%s added, the balance is now %s", []string{"$amount", "$user_balance"}},
	whozex.EventUserCreated:    {"%s, %s", []string{"name", "email"}},
}

// describe returns the text of an event.
func describe(event *webhookverify.Event) template.HTML {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(event.Data))
	dec.UseNumber()
	if dec.Decode(&fields) != nil {
		return phrase("%s", string(event.Data))
	}
	if s, ok := eventFormats[event.Name]; ok {
		if args := formatFields(fields, s.fields); args != nil {
			return phrase(s.format, args...)
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if text, ok := formatField(fields[name], false); ok && name != "user_id" {
			parts = append(parts, strings.ReplaceAll(name, "_", " ")+" "+text)
		}
	}
	return phrase("%s", strings.Join(parts, ", "))
}

// formatFields formats the named fields, or returns nil if one is missing.
func formatFields(fields map[string]any, names []string) (args []any) {
	for _, name := range names {
		name, money := strings.CutPrefix(name, "$")
		text, ok := formatField(fields[name], money)
		if !ok {
			return nil
		}
		args = append(args, text)
	}
	return args
}

// formatField formats a value.
func formatField(value any, money bool) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, !money
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v], !money
	case json.Number:
		var d decimal.Decimal
		if len(v) > 40 || json.Unmarshal([]byte(v), &d) != nil || d.Exponent() > 20 || d.Exponent() < -40 {
			return v.String(), !money
		}
		if money {
			return usd(d), true
		}
		return num(d), true
	}
	return "", false
}
