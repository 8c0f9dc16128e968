package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v84/github"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stripe/stripe-go/v84/webhook"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/whozex/whozex-go/webhookverify"
)

const webhookSecret = "wxsec_0123456789abcdef0123456789abcdef"

// scheme verifies events with one library.
type scheme struct {
	name string
	// sign returns the value of the signature header.
	sign   func(body []byte) string
	verify func(body []byte, header string) bool
}

func byHand(body []byte) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// standard is implemented by the libraries of svix and of Standard Webhooks.
type standard interface {
	Sign(id string, at time.Time, body []byte) (string, error)
	Verify(body []byte, header http.Header) error
}

func standardScheme(name, prefix string, hook standard, err error) scheme {
	if err != nil {
		panic(err)
	}
	header := http.Header{}
	header.Set(prefix+"-id", "msg_1")
	key := http.CanonicalHeaderKey(prefix + "-signature")
	return scheme{
		name: name,
		sign: func(body []byte) string {
			now := time.Now() // a signature older than five minutes is refused
			header.Set(prefix+"-timestamp", strconv.FormatInt(now.Unix(), 10))
			signature, err := hook.Sign("msg_1", now, body)
			if err != nil {
				panic(err)
			}
			return signature
		},
		verify: func(body []byte, signature string) bool {
			header[key] = []string{signature}
			return hook.Verify(body, header) == nil
		},
	}
}

func schemes() (base scheme, others []scheme) {
	base = scheme{
		name:   "crypto/hmac by hand",
		sign:   byHand,
		verify: func(body []byte, header string) bool { return hmac.Equal([]byte(byHand(body)), []byte(header)) },
	}
	svixHook, svixErr := svix.NewWebhookRaw([]byte(webhookSecret))
	hook, err := standardwebhooks.NewWebhookRaw([]byte(webhookSecret))
	verifier, newErr := webhookverify.New(webhookSecret)
	if newErr != nil {
		panic(newErr)
	}
	return base, []scheme{
		{
			name:   "whozex",
			sign:   byHand,
			verify: func(body []byte, header string) bool { return verifier.Verify(body, header) == nil },
		},
		{
			name: "go-github",
			sign: byHand,
			verify: func(body []byte, header string) bool {
				return github.ValidateSignature(header, body, []byte(webhookSecret)) == nil
			},
		},
		{
			name: "stripe-go",
			sign: func(body []byte) string {
				return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: body, Secret: webhookSecret}).Header
			},
			verify: func(body []byte, header string) bool {
				return webhook.ValidatePayload(body, header, webhookSecret) == nil
			},
		},
		standardScheme("svix", "svix", svixHook, svixErr),
		standardScheme("standard-webhooks", "webhook", hook, err),
	}
}

// headers are signature headers, made from a valid one.
var headers = []struct {
	name  string
	valid bool
	make  func(valid string) string
}{
	{name: "valid", valid: true, make: func(valid string) string { return valid }},
	{name: "forged", make: func(valid string) string {
		// Change a digit before the padding of base64.
		last := strings.LastIndexFunc(valid, func(r rune) bool { return r != '=' })
		digit := byte('0')
		if valid[last-1] == digit {
			digit = '1'
		}
		forged := []byte(valid)
		forged[last-1] = digit
		return string(forged)
	}},
	{name: "wrong prefix", make: func(valid string) string { return "x" + valid[1:] }},
	{name: "a megabyte", make: func(string) string { return strings.Repeat("v1=0,", 1<<20/5) }},
}

func BenchmarkWebhookVerify(b *testing.B) {
	base, others := schemes()
	for _, size := range []int{256, 1 << 10, 16 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		for _, header := range headers {
			if size > 256 && size < 1<<20 && header.name != "valid" {
				continue
			}
			b.Run(fmt.Sprintf("%s/size=%d", header.name, size), func(b *testing.B) {
				newContender := func(s scheme) contender {
					value := header.make(s.sign(body))
					return contender{s.name, func() {
						if s.verify(body, value) != header.valid {
							b.Fatalf("%s: wrong result for %.80q", s.name, value)
						}
					}}
				}
				contenders := make([]contender, len(others))
				for i, s := range others {
					contenders[i] = newContender(s)
				}
				compare(b, inProcessBatch, newContender(base), contenders...)
			})
		}
	}
}

// BenchmarkWebhookForgedSecrets measures a forged request to a verifier with several
// secrets. It computes an HMAC for each secret.
func BenchmarkWebhookForgedSecrets(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	forged := byHand([]byte("other"))
	for _, secrets := range []int{1, 2, 10, 20} {
		b.Run(fmt.Sprint("secrets=", secrets), func(b *testing.B) {
			secretsByID := map[string]string{}
			for i := range secrets {
				secretsByID[fmt.Sprint("WH-", i)] = fmt.Sprint("wxsec_of_webhook_", i)
			}
			verifier, err := webhookverify.New("", webhookverify.WithSecrets(secretsByID))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if verifier.Verify(body, forged) == nil {
					b.Fatal("a forged event was accepted")
				}
			}
		})
	}
}
