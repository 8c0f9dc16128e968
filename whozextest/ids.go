package whozextest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func newAPIKey() string        { return "wx_live_" + randomHex(16) }
func newWebhookID() string     { return "WH-" + strings.ToUpper(randomHex(4)) }
func newWebhookSecret() string { return "wxsec_" + randomHex(24) }
func newProxyUser() string     { return "wx" + randomHex(4) }
func newProxyPassword() string { return "wxp" + randomHex(8) }

// newPackageID is one that no package has, since six digits may repeat.
func (s *Server) newPackageID() string {
	for {
		id := "PKG-" + strings.ToUpper(randomHex(3))
		if s.packages[id] == nil {
			return id
		}
	}
}
