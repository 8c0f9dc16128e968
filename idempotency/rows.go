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
	r.Params, r.eventPackages = json.RawMessage(r.params), strings.Fields(heard)
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

// get returns the row of a key, or nil if there is none.
func (s *Store) get(ctx context.Context, key string) (*Record, error) {
	return s.queryOne(ctx, `WHERE idempotency_key = $1`, key)
}

func (s *Store) queryOne(ctx context.Context, where string, args ...any) (*Record, error) {
	r, err := s.scan(s.db.QueryRowContext(ctx, s.db.SQL(`SELECT `+columns+` `+where), args...))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

func (s *Store) queryAll(ctx context.Context, where string, args ...any) (records []*Record, err error) {
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
		records = append(records, r)
	}
	return records, rows.Err()
}

const isOpen = `is_open = 1`

// openPurchase returns the open purchase of a user, or nil. There is at most one.
func (s *Store) openPurchase(ctx context.Context, userID string) (*Record, error) {
	return s.queryOne(ctx, `WHERE subject_id = $1 AND operation = 'PurchasePackage' AND `+isOpen, userID)
}

// claim is the right of one attempt to send the request, once it is committed.
type claim struct {
	key     string
	attempt int64
	owner   string
	lease   time.Duration
}

// insertClaim claims a key that is new or whose last attempt failed. It returns
// false if another process has claimed it since priorAttempts was read.
func (s *Store) insertClaim(ctx context.Context, db execer, c *claim, spec *spec, priorAttempts int64, unknown *whozex.OutcomeUnknownError) (bool, error) {
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
		c.key, string(spec.operation), spec.subject, spec.params, c.attempt, c.owner, c.lease.Milliseconds(), record, priorAttempts)
	return rowsChanged(result, err)
}

// renewClaim stores the record of a retry and renews the lease. It returns false if
// the claim is lost.
func (s *Store) renewClaim(ctx context.Context, c *claim, unknown *whozex.OutcomeUnknownError) (bool, error) {
	record, err := s.record(c.key, unknown)
	if err != nil {
		return false, err
	}
	result, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations
		SET record = $1, lease_until = {now} + $2, updated_at = {now}
		WHERE idempotency_key = $3 AND attempt = $4 AND owner = $5 AND state = 'pending'`),
		record, c.lease.Milliseconds(), c.key, c.attempt, c.owner)
	return rowsChanged(result, err)
}

// extendLease renews the lease of a claim.
func (s *Store) extendLease(ctx context.Context, c *claim) error {
	_, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations SET lease_until = {now} + $1
		WHERE idempotency_key = $2 AND attempt = $3 AND owner = $4 AND state = 'pending'`),
		c.lease.Milliseconds(), c.key, c.attempt, c.owner)
	return err
}

// outcome is what was found out about a call.
type outcome struct {
	state     State
	source    Source
	response  []byte
	resultID  string
	reason    string
	notBefore time.Time
	unknown   *whozex.OutcomeUnknownError // nil keeps the record
}

// finish stores the outcome of the claim's own call. A success is stored even if
// another process has resolved the row in the meantime, any other outcome only if
// none has.
func (s *Store) finish(ctx context.Context, c *claim, o outcome) (bool, error) {
	where := ` AND state = 'pending' AND owner = $11`
	if o.state == Succeeded {
		where = ` AND owner = $11`
	}
	return s.write(ctx, c.key, c.attempt, o, where, c.owner)
}

// settle stores the outcome of an open row that is not in progress.
func (s *Store) settle(ctx context.Context, r *Record, o outcome) (bool, error) {
	return s.write(ctx, r.Key, r.Attempts, o, ` AND state = $11 AND (state <> 'pending' OR lease_until <= {now}) AND `+isOpen, string(r.State))
}

func (s *Store) write(ctx context.Context, key string, attempt int64, o outcome, where string, whereArg string) (bool, error) {
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
		string(o.state), string(o.source), nullable(s.seal("response", key, o.response)), o.resultID, o.reason, toMillis(o.notBefore),
		nullable(record), string(o.state), key, attempt, whereArg)
	return rowsChanged(result, err)
}

func (s *Store) record(key string, unknown *whozex.OutcomeUnknownError) ([]byte, error) {
	data, err := unknown.Reveal()
	return s.seal("record", key, data), err
}

// addEventPackage stores that an event named a package while the row was open.
func (s *Store) addEventPackage(ctx context.Context, r *Record, packageID string) (bool, error) {
	result, err := s.db.ExecContext(ctx, s.db.SQL(`UPDATE whozex_operations SET heard = heard || ' ' || $1
		WHERE idempotency_key = $2 AND attempt = $3 AND `+isOpen), packageID, r.Key, r.Attempts)
	return rowsChanged(result, err)
}

// nullable returns nil for a nil slice, which some drivers would store as an empty
// value and not as NULL.
func nullable(data []byte) any {
	if data == nil {
		return nil
	}
	return data
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func rowsChanged(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// buyer is what the store knows about a user with purchases.
type buyer struct {
	email     string
	purchases int64 // number of purchases begun
}

func (s *Store) buyer(ctx context.Context, userID string) (b buyer, err error) {
	err = s.db.QueryRowContext(ctx, s.db.SQL(`SELECT email, purchases FROM whozex_users WHERE user_id = $1`), userID).Scan(&b.email, &b.purchases)
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	return b, err
}

// claimPurchase claims a key and reserves the user, who can have one open purchase.
// It returns ErrUserBusy if another purchase began since b was read.
func (s *Store) claimPurchase(ctx context.Context, c *claim, spec *spec, priorAttempts int64, unknown *whozex.OutcomeUnknownError, b buyer) (won bool, err error) {
	err = s.db.InTx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, s.db.SQL(`INSERT INTO whozex_users AS u (user_id, email, purchases) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET purchases = excluded.purchases, email = excluded.email WHERE u.purchases = $4`),
			spec.subject, b.email, b.purchases+1, b.purchases)
		reserved, err := rowsChanged(result, err)
		if err != nil {
			return err
		}
		if !reserved {
			return keyError(ErrUserBusy, c.key, "another purchase has just begun")
		}
		if won, err = s.insertClaim(ctx, tx, c, spec, priorAttempts, unknown); err == nil && !won {
			return errRaced
		}
		return err
	})
	return won, err
}

var errRaced = errors.New("idempotency: another process claimed the key first")
