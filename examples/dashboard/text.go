package main

import (
	"fmt"
	"html/template"
	"strings"
	"time"
	"unicode"

	"github.com/shopspring/decimal"
)

var functions = template.FuncMap{
	"usd": usd, "num": num, "bdi": bdi, "visible": visible, "count": count, "lower": strings.ToLower,
	"iso":       func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"utc":       func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04") },
	"date":      func(t time.Time) string { return t.Format(time.DateOnly) },
	"hour":      func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
	"add":       func(a, b int) int { return a + b },
	"series":    series,
	"short":     func(s string) string { return cut(s, 8) },
	"thousands": func(n int) string { return num(decimal.NewFromInt(int64(n))) },
}

// bdi isolates untrusted text, so that its direction does not affect the text around it.
func bdi(text string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(text) + "</bdi>")
}

// visible replaces invisible characters by their code points, so that two different
// texts never look the same.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			fmt.Fprintf(&b, "[U+%04X]", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// phrase is Sprintf with untrusted arguments.
func phrase(format string, args ...any) template.HTML {
	for i, arg := range args {
		args[i] = bdi(cut(fmt.Sprint(arg), 200))
	}
	return template.HTML(fmt.Sprintf(format, args...))
}

// cut collapses whitespace and truncates text to n characters.
func cut(text string, n int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	return string(runes[:min(n, len(runes))])
}

// count formats a number with its noun, which takes an s in the plural.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return num(decimal.NewFromInt(int64(n))) + " " + noun
}

// usd formats dollars with two decimals, or more if the amount has more.
func usd(d decimal.Decimal) string {
	text := group(d.Abs().StringFixed(max(2, min(8, -d.Exponent()))))
	if whole, fraction, ok := strings.Cut(text, "."); ok && len(fraction) > 2 {
		text = whole + "." + fraction[:2] + strings.TrimRight(fraction[2:], "0")
	}
	if d.IsNegative() {
		return "−$" + text
	}
	return "$" + text
}

// num formats a number, rounded to two decimals.
func num(d decimal.Decimal) string {
	text := group(d.Abs().Round(2).String())
	if d.IsNegative() {
		return "−" + text
	}
	return text
}

func group(text string) string {
	whole, fraction, found := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		return whole + "." + fraction
	}
	return whole
}
