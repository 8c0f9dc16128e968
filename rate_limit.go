package whozex

import "time"

// RateLimitSource is the client's source of a rate limit.
type RateLimitSource string

const (
	// RateLimitUnknown means that nothing was reported or refused: requests are
	// neither spaced nor paused.
	RateLimitUnknown RateLimitSource = ""
	// RateLimitReported means that the headers of a response reported the limit.
	RateLimitReported RateLimitSource = "reported"
	// RateLimitLearned means that the client learned a rate from 429 responses.
	RateLimitLearned RateLimitSource = "learned"
)

// RateLimit is the API's rate limit as far as the client knows it, and its own limit.
// The API documents neither a limit nor headers that report one. The client notices
// other clients of the same key only by what the API reports or refuses.
type RateLimit struct {
	Source RateLimitSource `json:"source"`
	// Limit is the number of requests allowed in a Window; 0 unless reported.
	Limit int `json:"limit"`
	// Remaining is the number of requests left in the current window; 0 unless
	// reported.
	Remaining int `json:"remaining"`
	// Window is the period of Limit; 0 unless reported.
	Window time.Duration `json:"window"`
	// Reset is when Remaining is Limit again; zero unless reported, or if that
	// time has passed.
	Reset time.Time `json:"reset,omitzero"`
	// PerSecond is the client's own limit in requests per second; 0 without one.
	PerSecond float64 `json:"per_second"`
	// PausedUntil is the end of the pause that holds all calls; zero without one.
	PausedUntil time.Time `json:"paused_until,omitzero"`
}

// RateLimit returns what the client knows of the API's rate limit now. It makes no request.
func (c *Client) RateLimit() RateLimit {
	state := c.transport.limiter.adaptive.State()
	r := RateLimit{PerSecond: state.Rate, PausedUntil: state.Paused}
	switch q := state.Quota; {
	case q != nil:
		r.Source, r.Limit, r.Remaining, r.Window = RateLimitReported, q.Limit, q.Remaining, q.Window
		if q.Reset > 0 {
			r.Reset = time.Now().Add(q.Reset)
		}
	case state.Rate > 0 || !state.Paused.IsZero():
		r.Source = RateLimitLearned
	}
	return r
}
