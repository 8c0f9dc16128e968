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

// sentences word the events whose fields are known: package.created is documented,
// the names of the others are those of the sandbox. An event that lacks a field
// that its sentence needs is shown field by field.
var sentences = map[string]struct {
	format string
	fields []string
}{
	whozex.EventPackageCreated: {"%s GB for %s, %s", []string{"gb", "$cost", "package_id"}},
	whozex.EventPackageLowGB:   {"%s of %s GB left, %s", []string{"remaining_gb", "total_gb", "package_id"}},
	whozex.EventBalanceAdded:   {"%s added, the balance is now %s", []string{"$amount", "$user_balance"}},
	whozex.EventUserCreated:    {"%s, %s", []string{"name", "email"}},
}

// describe words an event.
func describe(event *webhookverify.Event) template.HTML {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(event.Data))
	dec.UseNumber()
	if dec.Decode(&fields) != nil {
		return phrase("%s", string(event.Data))
	}
	if s, ok := sentences[event.Name]; ok {
		if args := figures(fields, s.fields); args != nil {
			return phrase(s.format, args...)
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if text, ok := figure(fields[name], false); ok && name != "user_id" {
			parts = append(parts, strings.ReplaceAll(name, "_", " ")+" "+text)
		}
	}
	return phrase("%s", strings.Join(parts, ", "))
}

// figures has the fields in words, or nil if one is missing.
func figures(fields map[string]any, names []string) (args []any) {
	for _, name := range names {
		name, money := strings.CutPrefix(name, "$")
		text, ok := figure(fields[name], money)
		if !ok {
			return nil
		}
		args = append(args, text)
	}
	return args
}

// figure shows a number as people write it.
func figure(value any, money bool) (string, bool) {
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
