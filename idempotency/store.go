package idempotency

import (
	"context"
	"crypto/cipher"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/whozex/whozex-go/idempotency/internal/database"
)

//go:embed schema
var schema embed.FS

// Store keeps a row for each idempotency key, in SQLite or PostgreSQL. It is safe
// for concurrent use, also by several processes. Use one store for each Whozex
// account.
type Store struct {
	db   *database.DB
	aead cipher.AEAD
}

// StoreOption configures a [Store].
type StoreOption func(*Store)

// WithEncryption encrypts the columns that may contain secrets, record and
// response, each with a random nonce. Keys, parameters, states and reasons stay
// readable. The AEAD's nonce must have at least 12 bytes, as in AES-GCM. Rows
// written without encryption can still be read. Rows written with it need the same
// encryption key.
func WithEncryption(aead cipher.AEAD) StoreOption {
	return func(s *Store) { s.aead = aead }
}

// Open opens a store and creates or upgrades its tables:
//
//	sqlite:orders.db                 a file, created with mode 0600; one machine
//	postgres://user@host/database    any number of processes and machines
//
// SQLite's URI parameters may follow the file name after a question mark. A commit
// is on disk before a request is sent: SQLite runs with WAL and synchronous=FULL,
// PostgreSQL with synchronous_commit=on unless the data source sets it.
func Open(ctx context.Context, dataSource string, opts ...StoreOption) (*Store, error) {
	s := new(Store)
	for _, opt := range opts {
		opt(s)
	}
	if s.aead != nil && s.aead.NonceSize() < minNonce {
		return nil, fmt.Errorf("idempotency: a random nonce of %d bytes is too short", s.aead.NonceSize())
	}
	files, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, err
	}
	if s.db, err = database.Open(ctx, dataSource); err != nil {
		return nil, fmt.Errorf("idempotency: open the store: %w", err)
	}
	if err := s.db.Migrate(ctx, "operations", files); err != nil {
		return nil, fmt.Errorf("idempotency: open the store: %w", errors.Join(err, s.db.Close()))
	}
	return s, nil
}

// Close closes the database. All calls must have returned.
func (s *Store) Close() error { return s.db.Close() }

// Database returns the database, for the other packages of this module.
func (s *Store) Database() *database.DB { return s.db }

// Purge deletes the rows that have been final since before the given time, by the
// database's clock, and returns their number. It never deletes an open row. A
// purged key counts as new, so keep rows for as long as their keys may be used again.
func (s *Store) Purge(ctx context.Context, before time.Time) (int64, error) {
	result, err := s.db.ExecContext(ctx, s.db.SQL(`DELETE FROM whozex_operations
		WHERE state IN ('succeeded', 'failed') AND updated_at < $1 AND is_open = 0`), before.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("idempotency: purge: %w", err)
	}
	return result.RowsAffected()
}

// Counts has the number of rows in each state.
type Counts struct {
	Pending, Succeeded, Failed, Indeterminate int64
}

// Counts counts the rows, for metrics. It reads a whole index, so do not use it
// more often than about once a minute.
func (s *Store) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	rows, err := s.db.QueryContext(ctx, `SELECT state, COUNT(*) FROM whozex_operations GROUP BY state`)
	if err != nil {
		return c, fmt.Errorf("idempotency: count: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state State
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return c, fmt.Errorf("idempotency: count: %w", err)
		}
		switch state {
		case Pending:
			c.Pending = n
		case Succeeded:
			c.Succeeded = n
		case Failed:
			c.Failed = n
		case Indeterminate:
			c.Indeterminate = n
		}
	}
	return c, rows.Err()
}
