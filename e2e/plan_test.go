package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// point is the point of a request or response at which the server acts.
type point int

const (
	atHeaders  point = iota // after the request's headers
	atBody                  // after the request's body
	inHeaders               // within the response's headers
	inBody                  // within the response's body
	atEnd                   // after the response
	pointCount = iota
)

// action is what the server does at that point.
type action int

const (
	respond action = iota
	reset          // RST_STREAM, or a TCP reset
	goAway         // GOAWAY, or closing the connection after "Connection: close"
	closeConn
	halfClose
	stall
	switchProtocols // a 101 response
	actionCount     = iota
)

// commitTime is when the server commits a call.
type commitTime int

const (
	neverCommit commitTime = iota
	commitBefore
	commitAfter // some time after the response or the failure
)

// plan is what the server does with one request.
type plan struct {
	point       point
	action      action
	code        http2.ErrCode
	lastID      int // of GOAWAY, relative to the stream: -1 is below it, 0 the stream, 1 above
	early       int // number of 1xx responses
	status      int
	header      string // "name: value", or empty
	body        string
	commit      commitTime
	rejected    bool // status and body prove that nothing was done, so the client may retry
	commitDelay time.Duration
}

// Bodies of responses outside 2xx.
const (
	unknownCode    = `{"success":false,"error":{"code":"NOT_KNOWN","message":"no"}}`
	documentedCode = `{"success":false,"error":{"code":"INVALID_PARAMS","message":"no"}}`
	claimsSuccess  = `{"success":true,"data":{"id":"1"}}`
	htmlPage       = `<html><body>sorry</body></html>`
)

var statuses = []int{
	200, 200, 200, 200, 201, 204, 301, 303, 307, 308, 400, 401, 402, 403, 404, 408, 409, 410, 413, 421, 422, 423, 425,
	429, 429, 444, 460, 463, 494, 499, 500, 501, 502, 503, 504, 507, 520, 522, 524, 529, 598,
}

// randomPlan returns a plan that obeys the meaning of HTTP statuses: the server commits
// nothing if a status says so. It may commit before or after any reset.
func randomPlan(rng *rand.Rand, success string) plan {
	p := plan{
		action: respond, point: atEnd, status: statuses[rng.IntN(len(statuses))],
		code: http2.ErrCode(rng.IntN(15)), lastID: rng.IntN(3) - 1, commitDelay: time.Duration(rng.IntN(20)) * time.Millisecond,
	}
	if rng.IntN(4) == 0 {
		p.early = 1 + rng.IntN(3)
	}
	switch rng.IntN(8) {
	case 0, 1, 2:
		p.status = http.StatusOK
	case 3, 4, 5:
		p.action, p.point = action(rng.IntN(int(actionCount))), point(rng.IntN(int(pointCount)))
	}
	p.commit = commitTime(rng.IntN(3))
	switch {
	case p.status == http.StatusNoContent:
	case p.status/100 == 2:
		p.body = success
		if rng.IntN(8) == 0 {
			p.body = []string{"", htmlPage, `{"success":`, unknownCode, documentedCode}[rng.IntN(5)]
		}
	default:
		p.body = []string{"", htmlPage, unknownCode, documentedCode, claimsSuccess}[rng.IntN(5)]
	}
	if p.status == http.StatusTooManyRequests {
		p.header = []string{"", "Retry-After: 0", "Retry-After: x"}[rng.IntN(3)]
	}
	if p.status/100 == 3 {
		p.header = "Location: /v1/users"
	}
	switch {
	case p.body == success:
		p.commit = commitBefore
	case p.definite():
		p.commit = neverCommit
	}
	p.rejected = p.status == http.StatusTooManyRequests && p.commit == neverCommit && p.definite()
	return p
}

// definite reports whether the response means that nothing was done, by HTTP and the
// API's documentation.
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
	return fmt.Sprintf("action %d at %d, code %v, last %+d, %d early, %d %q %s, commit %d",
		p.action, p.point, p.code, p.lastID, p.early, p.status, p.header, strings.TrimSpace(p.body), p.commit)
}
