package webhookverify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go/webhookverify"
)

// refuses checks every function and option that takes a secret.
func refuses(t require.TestingT, bad, says string) {
	body := []byte("{}")
	_, alone := webhookverify.New(bad)
	_, previous := webhookverify.New(secret, webhookverify.WithPreviousSecret(bad))
	_, named := webhookverify.New(secret, webhookverify.WithSecrets(map[string]string{"WH-1": bad}))
	for way, err := range map[string]error{
		"New":                alone,
		"WithPreviousSecret": previous,
		"WithSecrets":        named,
		"Verify":             webhookverify.Verify(body, webhookverify.Sign(body, bad), bad),
	} {
		require.ErrorIs(t, err, webhookverify.ErrInvalidSecret, way)
		require.ErrorContains(t, err, says, way)
		if len(bad) > 8 && says != "variable" {
			require.NotContains(t, err.Error(), bad, way)
			require.NotContains(t, err.Error(), "0123456789", way)
		}
	}
}

func TestNew_InvalidSecrets(t *testing.T) {
	for _, tt := range []struct{ name, secret, says string }{
		{"empty", "", "empty"},
		{"blank", " ", "whitespace around"},
		{"tab", "\t", "whitespace around"},
		{"trailing newline", secret + "\n", "whitespace around"},
		{"trailing CRLF", secret + "\r\n", "whitespace around"},
		{"leading blank", " " + secret, "whitespace around"},
		{"no-break space", secret + "\u00a0", "whitespace around"},
		{"UTF-8 byte order mark", "\ufeff" + secret, "byte order mark"},
		{"UTF-16 byte order mark", "\xff\xfew\x00x\x00", "byte order mark"},
		{"byte order mark inside", "wxsec_\ufeff0123456789", "U+FEFF"},
		{"not UTF-8", "wxsec_\xc3\x28", "not UTF-8"},
		{"double quotes", `"` + secret + `"`, "quotes around"},
		{"single quotes", "'" + secret + "'", "quotes around"},
		{"backquotes", "`" + secret + "`", "quotes around"},
		{"typographic quotes", "“" + secret + "”", "quotes around"},
		{"German quotes", "„" + secret + "“", "quotes around"},
		{"a quote alone", `"`, "quotes around"},
		{"zero-width space at the end", secret + "\u200b", "U+200B"},
		{"zero-width space inside", "wxsec_\u200b0123456789", "U+200B"},
		{"zero-width joiner", "wxsec_\u200d0123456789", "U+200D"},
		{"soft hyphen", "wxsec_\u00ad0123456789", "U+00AD"},
		{"right-to-left mark", "wxsec_0123456789\u200f", "U+200F"},
		{"newline inside", secret + "\n" + old, "newline in it"},
		{"carriage return inside", secret + "\r" + old, "newline in it"},
		{"line separator inside", secret + "\u2028" + old, "newline in it"},
		{"NUL at the end", secret + "\x00", "NUL"},
		{"NUL inside", "wxsec_\x000123456789", "NUL"},
		{"escape", "wxsec_\x1b[0m0123456789", "U+001B"},
		{"tab inside", "wxsec_\t0123456789", "U+0009"},
		{"redacted", "[redacted]", "prints as"},
		{"an API key", "wx_live_example", "an API key"},
		{"a signature", "sha256=" + strings.Repeat("0", 64), "a signature"},
		{"not expanded", "${WHOZEX_WEBHOOK_SECRET}", "variable"},
	} {
		t.Run(tt.name, func(t *testing.T) { refuses(t, tt.secret, tt.says) })
	}
}

// TestNew_InvalidSecretsRandom puts an invalid character anywhere into random secrets.
func TestNew_InvalidSecretsRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		good := rapid.StringMatching(`(wxsec_)?[0-9A-Za-zäöü鍵_/+=."'-]{0,40}[0-9A-Za-z鍵]`).Draw(t, "secret")
		if !strings.ContainsAny(good[:1], `"'`) {
			_, err := webhookverify.New(good)
			require.NoError(t, err)
		}
		runes := []rune(good)
		at := rapid.IntRange(0, len(runes)).Draw(t, "at")
		secretProblem := rapid.SampledFrom([]string{
			"\x00", "\n", "\r", "\t", "\x1b", "\x7f", "\u0085", "\ufeff", "\u200b", "\u200c", "\u200d", "\u2060",
			"\u00ad", "\u200e", "\u202e", "\u2028", "\u2029", "\xff", "\xc3",
		}).Draw(t, "flaw")
		bad := string(runes[:at]) + secretProblem + string(runes[at:])
		_, err := webhookverify.New(bad)
		require.ErrorIs(t, err, webhookverify.ErrInvalidSecret, "%q", bad)
		quote := rapid.SampledFrom([]string{`""`, "''", "``", "“”", "‘’", "„“", "«»"}).Draw(t, "quotes")
		open := strings.TrimSuffix(quote, string([]rune(quote)[1:]))
		_, err = webhookverify.New(open + good + string([]rune(quote)[1:]))
		require.ErrorIs(t, err, webhookverify.ErrInvalidSecret)
	})
}

func TestWithSecrets(t *testing.T) {
	current, previous := map[string]string{}, map[string]string{}
	for i := range 10 {
		name := fmt.Sprint("WH-", i)
		current[name], previous[name] = fmt.Sprint("wxsec_current_", i), fmt.Sprint("wxsec_previous_", i)
	}
	v, err := webhookverify.New("", webhookverify.WithSecrets(current), webhookverify.WithSecrets(previous))
	require.NoError(t, err)
	body := []byte(created)
	for name := range current {
		for _, secret := range []string{current[name], previous[name]} {
			event, err := v.ParseEvent(body, webhookverify.Sign(body, secret))
			require.NoError(t, err)
			assert.Equal(t, name, event.Webhook)
		}
	}
	assert.ErrorIs(t, v.Verify(body, webhookverify.Sign(body, "wxsec_current_10")), webhookverify.ErrSignatureMismatch)

	both, err := webhookverify.New(secret, webhookverify.WithSecrets(current),
		webhookverify.WithPreviousSecret(old), webhookverify.WithPreviousSecret("wxsec_older"))
	require.NoError(t, err)
	for signer, webhook := range map[string]string{secret: "", old: "", "wxsec_older": "", current["WH-3"]: "WH-3"} {
		event, err := both.ParseEvent(body, webhookverify.Sign(body, signer))
		require.NoError(t, err, signer)
		assert.Equal(t, webhook, event.Webhook)
	}
}

func TestWithSecrets_Invalid(t *testing.T) {
	one := map[string]string{"WH-1": secret}
	for _, tt := range []struct {
		name, secret string
		opts         []webhookverify.Option
		says         string
	}{
		{name: "no secret at all", says: "empty"},
		{name: "only a previous one", opts: []webhookverify.Option{webhookverify.WithPreviousSecret(old)}, says: "empty"},
		{name: "no webhooks", opts: []webhookverify.Option{webhookverify.WithSecrets(nil)}, says: "WithSecrets has none"},
		{name: "a webhook without a name", opts: []webhookverify.Option{webhookverify.WithSecrets(map[string]string{"": secret})}, says: "name is empty"},
		{name: "two webhooks with one secret", opts: []webhookverify.Option{webhookverify.WithSecrets(map[string]string{"a": secret, "b": secret})}, says: `"a" and "b"`},
		{name: "one secret with and without a name", secret: secret, opts: []webhookverify.Option{webhookverify.WithSecrets(one)}, says: "have the same"},
		{name: "the webhook is named", opts: []webhookverify.Option{webhookverify.WithSecrets(map[string]string{"WH-1": "\ufeff" + secret})}, says: `webhook "WH-1"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhookverify.New(tt.secret, tt.opts...)
			require.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), secret)
		})
	}
	_, err := webhookverify.New(secret, webhookverify.WithPreviousSecret(secret))
	assert.NoError(t, err, "nothing has been rotated yet")
	_, err = webhookverify.New("", webhookverify.WithSecrets(one), webhookverify.WithSecrets(one))
	assert.NoError(t, err, "nothing has been rotated yet")
}
