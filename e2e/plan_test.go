package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// The point of a request or response at which something happens.
type point int

const (
	atHeaders  point = iota // the request's headers have come
	atBody                  // and its body
	inHeaders               // within the response's headers
	inBody                  // within its body
	atEnd                   // the response is out
	pointCount = iota
)

// What happens then.
type act int

const (
	respond act = iota
	reset       // RST_STREAM, or a TCP reset
	goAway      // GOAWAY, or a close after "Connection: close"
	hangUp
	halfClose
	stall
	switching // 101
	actCount  = iota
)

type when int

const (
	never when = iota
	before
	after // a while after the client was told, or left without word
)

// plan is what a server does with one request.
type plan struct {
	point    point
	act      act
	code     http2.ErrCode
	lastID   int // of GOAWAY, relative to the stream: -1 is below it, 0 the stream, 1 above
	informal int // 1xx responses before all else
	status   int
	header   string // "name: value", empty for none
	body     string
	commit   when
	void     bool // status and body prove that nothing was done, and may be sent again
	late     time.Duration
}

// bodies of responses outside 2xx.
const (
	unknownCode    = `{"success":false,"error":{"code":"NOT_KNOWN","message":"no"}}`
	documentedCode = `{"success":false,"error":{"code":"INVALID_PARAMS","message":"no"}}`
	claimsSuccess  = `{"success":true,"data":{"id":"1"}}`
	page           = `<html><body>sorry</body></html>`
)

var statuses = []int{
	200, 200, 200, 200, 201, 204, 301, 303, 307, 308, 400, 401, 402, 403, 404, 408, 409, 410, 413, 421, 422, 423, 425,
	429, 429, 444, 460, 463, 494, 499, 500, 501, 502, 503, 504, 507, 520, 522, 524, 529, 598,
}

// draw makes a plan whose server keeps to what HTTP says of its statuses: it
// does nothing where a status says so. Of resets it says what it likes.
func draw(rng *rand.Rand, success string) plan {
	p := plan{
		act: respond, point: atEnd, status: statuses[rng.IntN(len(statuses))],
		code: http2.ErrCode(rng.IntN(15)), lastID: rng.IntN(3) - 1, late: time.Duration(rng.IntN(20)) * time.Millisecond,
	}
	if rng.IntN(4) == 0 {
		p.informal = 1 + rng.IntN(3)
	}
	switch rng.IntN(8) {
	case 0, 1, 2:
		p.status = http.StatusOK
	case 3, 4, 5:
		p.act, p.point = act(rng.IntN(int(actCount))), point(rng.IntN(int(pointCount)))
	}
	p.commit = when(rng.IntN(3))
	switch {
	case p.status == http.StatusNoContent:
	case p.status/100 == 2:
		p.body = success
		if rng.IntN(8) == 0 {
			p.body = []string{"", page, `{"success":`, unknownCode, documentedCode}[rng.IntN(5)]
		}
	default:
		p.body = []string{"", page, unknownCode, documentedCode, claimsSuccess}[rng.IntN(5)]
	}
	if p.status == http.StatusTooManyRequests {
		p.header = []string{"", "Retry-After: 0", "Retry-After: x"}[rng.IntN(3)]
	}
	if p.status/100 == 3 {
		p.header = "Location: /v1/users"
	}
	switch {
	case p.body == success:
		p.commit = before
	case p.definite():
		p.commit = never
	}
	p.void = p.status == http.StatusTooManyRequests && p.commit == never && p.definite()
	return p
}

// definite reports whether the response, as HTTP and the API's page have it, says
// that nothing was done.
func (p plan) definite() bool {
	switch {
	case p.body == claimsSuccess:
		return false
	case p.body == documentedCode, p.status/100 == 2 && p.body == unknownCode:
		return true
	}
	return p.status/100 == 4 && p.status != 408 && http.StatusText(p.status) != ""
}

func (p plan) String() string {
	return fmt.Sprintf("act %d at %d, code %v, last %+d, %d informal, %d %q %s, commit %d",
		p.act, p.point, p.code, p.lastID, p.informal, p.status, p.header, strings.TrimSpace(p.body), p.commit)
}
