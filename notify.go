package whozex

import (
	"bytes"
	"context"
	"errors"
	"time"
)

var errStaleRecord = errors.New("BeforeSend took more than a tenth of the grace, twice")

// notify calls BeforeSend before an attempt, and a second time if the first took so long
// that its record is out of date. If the context ends meanwhile, nothing is sent.
func (t *transport) notify(ctx context.Context, s *callState) error {
	if s.options.before == nil || !s.mutating() {
		return nil
	}
	for range 2 {
		sentAt := time.Now()
		record := s.newOutcomeUnknown(sentAt, s.last.Number+1)
		record.Request = bytes.Clone(s.encoded)
		record.Until = sentAt.Add(s.options.timeout).Add(t.grace / 10) // the request may leave that late
		record.ServerTime = t.clock.at(sentAt)
		if err := s.options.before(record); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.grace == 0 || elapsed(sentAt) <= t.grace/10 {
			return nil
		}
	}
	return errStaleRecord
}
