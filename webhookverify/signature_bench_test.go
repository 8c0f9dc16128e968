package webhookverify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/whozex/whozex-go/webhookverify"
)

func byHand(body []byte, signature, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal([]byte("sha256="+hex.EncodeToString(mac.Sum(nil))), []byte(signature))
}

func BenchmarkVerify(b *testing.B) {
	const secret = "wxsec_0123456789abcdef0123456789abcdef"
	for _, size := range []int{256, 1 << 10, 16 << 10, 1 << 20} {
		body := make([]byte, size)
		valid := webhookverify.Sign(body, secret)
		forged := "sha256=" + strings.Repeat("0", 64)
		for name, signature := range map[string]string{"valid": valid, "forged": forged} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if (webhookverify.Verify(body, signature, secret) == nil) != (name == "valid") {
						b.Fatal("wrong")
					}
				}
			})
		}
		b.Run(fmt.Sprintf("by hand/%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !byHand(body, valid, secret) {
					b.Fatal("wrong")
				}
			}
		})
	}
	body := make([]byte, 1<<20)
	for name, signature := range map[string]string{
		"length": strings.Repeat("a", 1<<20), "prefix": "sha512=" + strings.Repeat("0", 64), "missing": "", "hex": "sha256=" + strings.Repeat("0", 63) + "A",
	} {
		b.Run("malformed/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if webhookverify.Verify(body, signature, secret) == nil {
					b.Fatal("wrong")
				}
			}
		})
	}
}
