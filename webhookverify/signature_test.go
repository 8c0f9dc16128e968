package webhookverify_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/webhookverify"
)

const secret = "wxsec_0123456789abcdef"

// Edge cases of bodies and secrets.
var bodies = map[string][]byte{
	"empty":            {},
	"event":            []byte(`{"event":"package.created","data":{"gb":20}}`),
	"unicode":          []byte(`{"name":"Jürgen 東京 🙂"}`),
	"NUL":              []byte("a\x00b\x00"),
	"CRLF":             []byte("{\r\n}\r\n"),
	"trailing newline": []byte("{}\n"),
	"invalid UTF-8":    []byte("\xff\xfe{\xc3\x28}"),
	"one block less":   bytes.Repeat([]byte("x"), 55),
	"one block":        bytes.Repeat([]byte("x"), 64),
	"1 MiB":            bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
}

var secrets = map[string]string{
	"documented shape":  secret,
	"one byte":          "k",
	"a block":           strings.Repeat("k", 64),
	"more than a block": strings.Repeat("k", 65),
	"three blocks":      strings.Repeat("0123456789", 17),
	"unicode":           "sécret-鍵",
	"looks like hex":    "deadbeef",
	"looks like base64": "c2VjcmV0==",
	"a space within":    "two words",
}

func TestSign(t *testing.T) {
	for bodyName, body := range bodies {
		for secretName, secret := range secrets {
			t.Run(bodyName+"/"+secretName, func(t *testing.T) {
				mac := hmac.New(sha256.New, []byte(secret))
				mac.Write(body)
				want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
				assert.Equal(t, want, webhookverify.Sign(body, secret))
				assert.NoError(t, webhookverify.Verify(body, want, secret))
				assert.ErrorIs(t, webhookverify.Verify(append([]byte("x"), body...), want, secret), webhookverify.ErrSignatureMismatch)
				assert.ErrorIs(t, webhookverify.Verify(body, want, secret+"x"), webhookverify.ErrSignatureMismatch)
			})
		}
	}
}

func TestSign_KnownVector(t *testing.T) {
	// RFC 4231, test case 2.
	const want = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	assert.Equal(t, want, webhookverify.Sign([]byte("what do ya want for nothing?"), "Jefe"))
}

// TestSign_OtherLanguages signs and verifies the same bytes with node and python.
func TestSign_OtherLanguages(t *testing.T) {
	var input bytes.Buffer
	var want []string
	for _, body := range bodies {
		for _, secret := range secrets {
			signature := webhookverify.Sign(body, secret)
			encoded, err := json.Marshal(map[string][]byte{"secret": []byte(secret), "body": body, "signature": []byte(signature)})
			require.NoError(t, err)
			input.Write(append(encoded, '\n'))
			want = append(want, signature+" true")
		}
	}
	for _, command := range [][]string{{"node", "testdata/sign.mjs"}, {"python3", "testdata/sign.py"}} {
		t.Run(command[0], func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil && os.Getenv("CI") == "" {
				t.Skip("not installed; it is in CI")
			}
			cmd := exec.CommandContext(t.Context(), command[0], command[1])
			cmd.Stdin, cmd.Stderr = bytes.NewReader(input.Bytes()), os.Stderr
			out, err := cmd.Output()
			require.NoError(t, err)
			assert.Equal(t, want, strings.Split(strings.TrimSpace(string(out)), "\n"))
		})
	}
}

var malformed = map[string]struct {
	signature string
	class     error
	text      string
}{
	"missing":           {"", webhookverify.ErrMissingSignature, "no signature"},
	"no prefix":         {strings.Repeat("0", 64), webhookverify.ErrMalformedSignature, "71 bytes"},
	"no prefix, 71":     {strings.Repeat("0", 71), webhookverify.ErrMalformedSignature, "start with sha256="},
	"other algorithm":   {"sha512=" + strings.Repeat("0", 64), webhookverify.ErrMalformedSignature, "start with sha256="},
	"prefix in capital": {"SHA256=" + strings.Repeat("0", 64), webhookverify.ErrMalformedSignature, "start with sha256="},
	"prefix alone":      {"sha256=", webhookverify.ErrMalformedSignature, "71 bytes"},
	"odd":               {"sha256=" + strings.Repeat("0", 63), webhookverify.ErrMalformedSignature, "71 bytes"},
	"short":             {"sha256=" + strings.Repeat("0", 62), webhookverify.ErrMalformedSignature, "71 bytes"},
	"long":              {"sha256=" + strings.Repeat("0", 66), webhookverify.ErrMalformedSignature, "71 bytes"},
	"not hex":           {"sha256=" + strings.Repeat("g", 64), webhookverify.ErrMalformedSignature, "lowercase hex"},
	"last not hex":      {"sha256=" + strings.Repeat("0", 63) + "/", webhookverify.ErrMalformedSignature, "lowercase hex"},
	"capitals":          {"sha256=" + strings.Repeat("A", 64), webhookverify.ErrMalformedSignature, "lowercase hex"},
	"space before":      {" sha256=" + strings.Repeat("0", 64), webhookverify.ErrMalformedSignature, "71 bytes"},
	"space within":      {"sha256= " + strings.Repeat("0", 63), webhookverify.ErrMalformedSignature, "lowercase hex"},
	"newline after":     {"sha256=" + strings.Repeat("0", 64) + "\n", webhookverify.ErrMalformedSignature, "71 bytes"},
	"list":              {"sha256=" + strings.Repeat("0", 64) + ",sha256=" + strings.Repeat("0", 64), webhookverify.ErrMalformedSignature, "71 bytes"},
	"a megabyte":        {strings.Repeat("a", 1<<20), webhookverify.ErrMalformedSignature, "71 bytes"},
	"well-formed":       {"sha256=" + strings.Repeat("0", 64), webhookverify.ErrSignatureMismatch, "mismatch"},
}

func TestVerify_MalformedSignatures(t *testing.T) {
	for name, tt := range malformed {
		t.Run(name, func(t *testing.T) {
			err := webhookverify.Verify([]byte("{}"), tt.signature, secret)
			require.ErrorIs(t, err, tt.class)
			assert.ErrorContains(t, err, tt.text)
		})
	}
}

func TestVerify_EveryDigit(t *testing.T) {
	body := []byte("{}")
	good := webhookverify.Sign(body, secret)
	for i := len("sha256="); i < len(good); i++ {
		other := byte('0')
		if good[i] == '0' {
			other = '1'
		}
		forged := good[:i] + string(other) + good[i+1:]
		assert.ErrorIs(t, webhookverify.Verify(body, forged, secret), webhookverify.ErrSignatureMismatch, "digit %d", i)
	}
}

func TestVerifier_AllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector a pool drops what it is given")
	}
	ten := map[string]string{}
	for i := range 10 {
		ten[fmt.Sprint("WH-", i)] = fmt.Sprint("wxsec_of_webhook_", i)
	}
	for _, secret := range []string{secret, strings.Repeat("k", 100)} {
		v, err := webhookverify.New(secret, webhookverify.WithPreviousSecret(old), webhookverify.WithSecrets(ten))
		require.NoError(t, err)
		for bodyName, body := range bodies {
			for _, signer := range []string{secret, old, ten["WH-9"]} {
				good := webhookverify.Sign(body, signer)
				assert.Zero(t, testing.AllocsPerRun(20, func() { _ = v.Verify(body, good) }), bodyName)
			}
			for name, tt := range malformed {
				assert.Zero(t, testing.AllocsPerRun(5, func() { _ = v.Verify(body, tt.signature) }), name)
			}
		}
	}
}

func TestVerifier_Concurrent(t *testing.T) {
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			secret := fmt.Sprint("secret", i)
			for n := range 200 {
				body := fmt.Append(nil, i, n)
				signature := webhookverify.Sign(body, secret)
				assert.NoError(t, webhookverify.Verify(body, signature, secret))
				assert.Error(t, webhookverify.Verify(body, signature, "other"))
			}
		})
	}
	group.Wait()
}

func FuzzVerify(f *testing.F) {
	for _, tt := range malformed {
		f.Add(tt.signature, []byte("{}"))
	}
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		if signature != webhookverify.Sign(body, secret) && webhookverify.Verify(body, signature, secret) == nil {
			t.Errorf("%q verified", signature)
		}
		if webhookverify.Verify(body, webhookverify.Sign(body, secret), secret) != nil {
			t.Error("a genuine signature was refused")
		}
	})
}
