package main

import (
	"cmp"
	"fmt"

	"github.com/whozex/whozex-go"
)

// kind holds the texts of a kind of operation.
type kind struct {
	Ask, Button   string // of the quote; the amount follows the button's text
	Done, Refused string // headings
	Short         string // shown instead of the button if the payer cannot pay
	what          func(operation) string
}

var kinds = map[string]kind{
	"top-up": {
		Ask: "Make this top-up?", Button: "Top up", Done: "Top-up made", Refused: "Not topped up",
		Short: "Your balance is too low for this top-up.",
		what:  func(o operation) string { return fmt.Sprintf("%s to %s", usd(o.Amount), o.name()) },
	},
	"deduction": {
		Ask: "Make this deduction?", Button: "Deduct", Done: "Deduction made", Refused: "Not deducted",
		Short: "The user's balance is lower than that.",
		what:  func(o operation) string { return fmt.Sprintf("%s back from %s", usd(o.Amount), o.name()) },
	},
	"purchase": {
		Ask: "Buy this package?", Button: "Buy for", Done: "Package bought", Refused: "Not bought",
		Short: "The user's balance is too low for this package. Top up first.",
		what:  func(o operation) string { return fmt.Sprintf("%d GB %s for %s", o.GB, o.ProxyType, o.name()) },
	},
	"add-gb": {
		Ask: "Add GB to this package?", Button: "Add GB for", Done: "GB added", Refused: "No GB added",
		Short: "The user's balance is too low for these GB. Top up first.",
		what:  func(o operation) string { return fmt.Sprintf("%d GB more in %s for %s", o.GB, o.Into, o.name()) },
	},
}

// Words returns the texts of the operation's kind, or general ones.
func (o operation) Words() kind {
	if words, ok := kinds[o.Kind]; ok {
		return words
	}
	return kind{Done: "Carried out", Refused: "Not carried out", what: func(o operation) string { return o.ID }}
}

// What describes the operation.
func (o operation) What() string { return o.Words().what(o) }

func (o operation) name() string { return visible(cmp.Or(o.User.Name, o.User.ID)) }

// applyBalances takes the balances of a response. After a lost response they are zero
// and the quote's remain.
func (o *operation) applyBalances(change *whozex.BalanceChange) {
	switch {
	case o.Kind == "deduction" && change.ResellerBalance.IsPositive():
		o.UserAfter, o.PayerAfter, o.ResellerAfter = change.UserBalance, change.UserBalance, change.ResellerBalance
	case o.Kind == "top-up" && change.UserBalance.IsPositive():
		o.UserAfter, o.PayerAfter = change.UserBalance, change.ResellerBalance
	default:
		return
	}
	o.PayerBefore = o.PayerAfter.Add(o.Amount)
}
