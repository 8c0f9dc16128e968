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

// scheme is a library's way to verify the body of an event.
type scheme struct {
	name string
	// sign returns the header's value for a genuine event.
	sign   func(body []byte) string
	verify func(body []byte, header string) bool
}

func byHand(body []byte) string {
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// standard is what svix's library and that of Standard Webhooks have in common.
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
			now := time.Now() // five minutes later it were too old
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

// headers are what a sender may send, made from the genuine value.
var headers = []struct {
	name    string
	genuine bool
	of      func(genuine string) string
}{
	{"valid", true, func(genuine string) string { return genuine }},
	{"forged", false, func(genuine string) string {
		// Another last digit; the schemes in base64 end with a blank =.
		last := strings.LastIndexFunc(genuine, func(r rune) bool { return r != '=' })
		digit := byte('0')
		if genuine[last-1] == digit {
			digit = '1'
		}
		forged := []byte(genuine)
		forged[last-1] = digit
		return string(forged)
	}},
	{"wrong prefix", false, func(genuine string) string { return "x" + genuine[1:] }},
	{"a megabyte", false, func(string) string { return strings.Repeat("v1=0,", 1<<20/5) }},
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
				contend := func(s scheme) contender {
					value := header.of(s.sign(body))
					return contender{s.name, func() {
						if s.verify(body, value) != header.genuine {
							b.Fatalf("%s took %.80q for the contrary", s.name, value)
						}
					}}
				}
				contenders := make([]contender, len(others))
				for i, s := range others {
					contenders[i] = contend(s)
				}
				compare(b, computing, contend(base), contenders...)
			})
		}
	}
}

// BenchmarkWebhookForgedSecrets is what a forged request costs a verifier of
// several webhooks: one HMAC for each secret.
func BenchmarkWebhookForgedSecrets(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1<<10)
	forged := byHand([]byte("other"))
	for _, secrets := range []int{1, 2, 10, 20} {
		b.Run(fmt.Sprint("secrets=", secrets), func(b *testing.B) {
			named := map[string]string{}
			for i := range secrets {
				named[fmt.Sprint("WH-", i)] = fmt.Sprint("wxsec_of_webhook_", i)
			}
			verifier, err := webhookverify.New("", webhookverify.WithSecrets(named))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if verifier.Verify(body, forged) == nil {
					b.Fatal("a forged event passed")
				}
			}
		})
	}
}
