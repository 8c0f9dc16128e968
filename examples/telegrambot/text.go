package main

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// say is Sprintf for Telegram's HTML: every argument is escaped, the format is
// not.
func say(format string, args ...any) string {
	for i, arg := range args {
		args[i] = html.EscapeString(fmt.Sprint(arg))
	}
	return fmt.Sprintf(format, args...)
}

func usd(d decimal.Decimal) string { return "$" + d.StringFixed(2) }

// brief is user text fit to be repeated to the user.
func brief(text string) string {
	const most = 40
	runes := []rune(strings.ToValidUTF8(text, "?"))
	if len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(runes)
}

var (
	wholeNumber = regexp.MustCompile(`^[1-9][0-9]{0,3}$`)
	price       = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,2})?$`)
)

func parseGB(text string) (int, error) {
	if !wholeNumber.MatchString(text) {
		return 0, fmt.Errorf("%q is not a number of GB: use digits, from 1 to 9999", brief(text))
	}
	return strconv.Atoi(text)
}

func parseAmount(text string) (decimal.Decimal, error) {
	if !price.MatchString(text) {
		return decimal.Zero, fmt.Errorf("%q is not an amount: use dollars such as 25 or 25.50", brief(text))
	}
	amount, err := decimal.NewFromString(text)
	if err == nil && !amount.IsPositive() {
		err = fmt.Errorf("%q is not above zero", text)
	}
	return amount, err
}

func parseProxyType(text string) (whozex.ProxyType, error) {
	switch t := whozex.ProxyType(strings.ToLower(text)); t {
	case whozex.ProxyResidential, whozex.ProxyDatacenter, whozex.ProxyMobile:
		return t, nil
	}
	return "", fmt.Errorf("%q is not a proxy type: residential, datacenter or mobile", brief(text))
}
