package idempotency

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/whozex/whozex-go"
)

const columns = `idempotency_key, operation, subject_id, params, state, attempt, owner,
	state = 'pending' AND lease_until > {now}, record, response, result_id, source, heard, reason,
	not_before, created_at, updated_at FROM whozex_operations`

func (s *Store) scan(row interface{ Scan(...any) error }) (*Record, error) {
	var r Record
	var record, response []byte
	var heard string
	var notBefore, created, updated int64
	if err := row.Scan(&r.Key, &r.Operation, &r.SubjectID, &r.params, &r.State, &r.Attempts, &r.owner, &r.InProgress,
		&record, &response, &r.ResultID, &r.Source, &heard, &r.Reason, &notBefore, &created, &updated); err != nil {
		return nil, err
	}
	record, err := s.unseal("record", r.Key, record)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(record, &r.Unknown); err != nil {
		return nil, err
	}
	if r.response, err = s.unseal("response", r.Key, response); err != nil {
		return nil, err
	}
	r.Params, r.heard = json.RawMessage(r.params), strings.Fields(heard)
	r.NotBefore, r.CreatedAt, r.UpdatedAt = fromMillis(notBefore), fromMillis(created), fromMillis(updated)
	return &r, nil
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// get returns the row of a key, nil if there is none.
func (s *Store) get(ctx context.Context, key string) (*Record, error) {
	return s.one(ctx, `WHERE idempotency_key = $1`, key)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (*Record, error) {
	r, err := s.scan(s.db.QueryRowContext(ctx, s.db.SQL(`SELECT `+columns+` `+where), args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

func (s *Store) all(ctx context.Context, where string, args ...any) (found []*Record, err error) {
	rows, err := s.db.QueryContext(ctx, s.db.SQL(`SELECT `+columns+` `+where), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := s.scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, rows.Err()
}

const isOpen = `is_open = 1`

// openPurchase returns the one purchase of a user that is not settled.
func (s *Store) openPurchase(ctx context.Context, userID string) (*Record, error) {
	return s.one(ctx, `WHERE subject_id = $1 AND operation = 'PurchasePackage' AND `+isOpen, userID)
}

// claim is a call's right to send, from the commit of its row on.
type claim struct {
	key     string
	attempt int64
	owner   string
	lease   time.Duration
}

// insert claims a key that is new, or failed after the attempts given; false means
// that another process was faster.
func (s *Store) insert(ctx context.Context, db execer, c *claim, of *spec, after int64, unknown *whozex.OutcomeUnknownError) (bool, error) {
	record, err := s.record(c.key, unknown)
	if err != nil {
		return false, err
	}
	result, err := db.ExecContext(ctx, s.db.SQL(`INSERT INTO whozex_operations AS o
			(idempotency_key, operation, subject_id, params, state, attempt, owner, lease_until, record, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 'pending', $5, $6, {now} + $7, $8, {now}, {now})
		ON CONFLICT (idempotency_key) DO UPDATE SET state = 'pending', attempt = excluded.attempt, owner = excluded.owner,
			lease_until = excluded.lease_until, record = excluded.record, response = NULL, result_id = '', source = '', heard = '',
			reason = '', not_before = 0, updated_at = excluded.updated_at
		WHERE o.state = 'failed' AND o.attempt = $9 AND o.operation = excluded.operation
			AND o.subject_id = excluded.subject_id AND o.params = excluded.params`),
		c.key, string(of.operation), of.subject, of.params, c.attempt, c.owner, c.lease.Milliseconds(), record, after)
	return changed(result, err)
}

// renew writes a later attempt's record, by the process that still has the claim.
func (s *Store) renew(ctx context.Context, c *claim, unknown *whozex.OutcomeUnknownError) (bool, error) {
	record, err := s.record(c.key, unknown)
	if err != nil {
		return false, err
	}
	result, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations
		SET record = $1, lease_until = {now} + $2, updated_at = {now}
		WHERE idempotency_key = $3 AND attempt = $4 AND owner = $5 AND state = 'pending'`),
		record, c.lease.Milliseconds(), c.key, c.attempt, c.owner)
	return changed(result, err)
}

// extend says that the process lives.
func (s *Store) extend(ctx context.Context, c *claim) error {
	_, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations SET lease_until = {now} + $1
		WHERE idempotency_key = $2 AND attempt = $3 AND owner = $4 AND state = 'pending'`),
		c.lease.Milliseconds(), c.key, c.attempt, c.owner)
	return err
}

// outcome is what a row comes to.
type outcome struct {
	state     State
	source    Source
	response  []byte
	resultID  string
	reason    string
	notBefore time.Time
	unknown   *whozex.OutcomeUnknownError // nil keeps the record
}

// end writes what the call of a claim came to. A success is written whatever
// others have made of the row meanwhile, all else only if nobody has.
func (s *Store) end(ctx context.Context, c *claim, o outcome) (bool, error) {
	where := ` AND state = 'pending' AND owner = $11`
	if o.state == Succeeded {
		where = ` AND owner = $11`
	}
	return s.write(ctx, c.key, c.attempt, o, where, c.owner)
}

// settle writes what was found out about an open row that nobody carries out.
func (s *Store) settle(ctx context.Context, r *Record, o outcome) (bool, error) {
	return s.write(ctx, r.Key, r.Attempts, o, ` AND state = $11 AND (state <> 'pending' OR lease_until <= {now}) AND `+isOpen, string(r.State))
}

func (s *Store) write(ctx context.Context, key string, attempt int64, o outcome, where string, last string) (bool, error) {
	var record []byte
	if o.unknown != nil {
		var err error
		if record, err = s.record(key, o.unknown); err != nil {
			return false, err
		}
	}
	result, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations
		SET state = $1, source = $2, response = COALESCE($3, response), result_id = $4, reason = $5, not_before = $6,
			record = COALESCE($7, record), updated_at = {now}, lease_until = CASE WHEN $8 = 'pending' THEN lease_until ELSE 0 END
		WHERE idempotency_key = $9 AND attempt = $10`+where),
		string(o.state), string(o.source), blob(s.seal("response", key, o.response)), o.resultID, o.reason, toMillis(o.notBefore),
		blob(record), string(o.state), key, attempt, last)
	return changed(result, err)
}

func (s *Store) record(key string, unknown *whozex.OutcomeUnknownError) ([]byte, error) {
	data, err := unknown.Reveal()
	return s.seal("record", key, data), err
}

// hear notes that an event named a package while the row was open.
func (s *Store) hear(ctx context.Context, r *Record, packageID string) (bool, error) {
	result, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations SET heard = heard || ' ' || $1
		WHERE idempotency_key = $2 AND attempt = $3 AND `+isOpen), packageID, r.Key, r.Attempts)
	return changed(result, err)
}

// blob makes nothing NULL, whatever a driver makes of an empty slice.
func blob(data []byte) any {
	if data == nil {
		return nil
	}
	return data
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// buyer is what the store knows of a user that buys.
type buyer struct {
	email     string
	purchases int64 // begun
}

func (s *Store) buyer(ctx context.Context, userID string) (b buyer, err error) {
	err = s.db.QueryRowContext(ctx, s.db.SQL(`SELECT email, purchases FROM whozex_users WHERE user_id = $1`), userID).Scan(&b.email, &b.purchases)
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	return b, err
}

// purchase claims a key and the user's one place for a purchase. It is refused
// with ErrUserBusy if another was begun since b was read.
func (s *Store) purchase(ctx context.Context, c *claim, of *spec, after int64, unknown *whozex.OutcomeUnknownError, b buyer) (won bool, err error) {
	err = s.db.InTx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, s.db.SQL(`INSERT INTO whozex_users AS u (user_id, email, purchases) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET purchases = excluded.purchases, email = excluded.email WHERE u.purchases = $4`),
			of.subject, b.email, b.purchases+1, b.purchases)
		free, err := changed(result, err)
		if err != nil {
			return err
		}
		if !free {
			return keyError(ErrUserBusy, c.key, "another purchase began meanwhile")
		}
		if won, err = s.insert(ctx, tx, c, of, after, unknown); err == nil && !won {
			return errRaced
		}
		return err
	})
	return won, err
}

var errRaced = errors.New("idempotency: another process claimed the key first")
