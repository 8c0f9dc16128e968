package whozex

import (
	"net/http"
	"time"

	"github.com/whozex/whozex-go/internal/wire"
)

// attempt is one request of a call and its result.
type attempt struct {
	wire.Attempt

	sentAt     time.Time
	endedAt    time.Time   // of a mutating or observed call
	serverTime time.Time   // at sentAt, zero if not known
	status     int         // 0 without a response
	header     http.Header // of the response
	body       []byte      // of the response, possibly cut short; never written to again
	tooLong    bool        // the response's body exceeds the bound
	err        error       // why there is no whole response
	unsent     bool        // err proves that nothing reached the server
}
