package webhookverify

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkSecret refuses a value that cannot be a webhook's secret: it would otherwise
// show as a signature mismatch at the first event. The error never contains the
// secret.
func checkSecret(secret string) error {
	if looksDocumented(secret) {
		return nil
	}
	if err := secretProblem(secret); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidSecret, err)
	}
	return nil
}

// looksDocumented is the fast path: it reports whether a secret has the documented
// prefix, is visible ASCII, and ends with a letter or digit.
func looksDocumented(secret string) bool {
	for i := range len(secret) {
		if c := secret[i]; c <= ' ' || c > '~' {
			return false
		}
	}
	return strings.HasPrefix(secret, "wxsec_") && alphanumeric(secret[len(secret)-1])
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func secretProblem(secret string) error {
	switch {
	case secret == "":
		return errors.New("it is empty")
	case strings.HasPrefix(secret, "\ufeff"), strings.HasPrefix(secret, "\xff\xfe"), strings.HasPrefix(secret, "\xfe\xff"):
		return errors.New("it begins with a byte order mark")
	case !utf8.ValidString(secret):
		return errors.New("it is not UTF-8")
	case strings.TrimSpace(secret) != secret:
		return errors.New("it has whitespace around it")
	case quoted(secret):
		return errors.New("it has quotes around it")
	case secret == "[redacted]":
		return errors.New("it is the text that a secret prints as; convert it with string(secret)")
	case strings.HasPrefix(secret, "wx_live_"):
		return errors.New("it is an API key")
	case strings.HasPrefix(secret, prefix):
		return errors.New("it is a signature")
	case strings.HasPrefix(secret, "${") && strings.HasSuffix(secret, "}"):
		return errors.New("it is a variable that was not expanded")
	}
	for _, r := range secret {
		switch {
		case r == 0:
			return errors.New("it has a NUL in it")
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return errors.New("it has a newline in it")
		case unicode.IsControl(r):
			return fmt.Errorf("it has the control character %U in it", r)
		case unicode.Is(unicode.Cf, r):
			return fmt.Errorf("it has the invisible character %U in it", r)
		}
	}
	return nil
}

// quoted reports whether the secret is in quotes, as a .env file or a shell may leave
// it.
func quoted(secret string) bool {
	first, n := utf8.DecodeRuneInString(secret)
	last, _ := utf8.DecodeLastRuneInString(secret)
	if len(secret) == n {
		return strings.ContainsRune("\"'`", first)
	}
	switch first {
	case '"', '\'', '`':
		return last == first
	case '“', '”', '„':
		return last == '“' || last == '”'
	case '‘', '’':
		return last == '‘' || last == '’'
	case '«':
		return last == '»'
	}
	return false
}
