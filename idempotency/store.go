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
// for concurrent use, by any number of processes too. Keep one store for each
// Whozex account: keys of one account mean nothing to another.
type Store struct {
	db   *database.DB
	aead cipher.AEAD
}

// StoreOption changes what [Open] opens.
type StoreOption func(*Store)

// WithEncryption seals what may hold a secret, the records and responses of the
// rows, with a random nonce each. Keys, parameters, states and reasons stay
// readable. The AEAD's nonce must be 12 bytes or longer, as that of AES-GCM is.
// A store that was written without reads on; one written with needs the same key.
func WithEncryption(aead cipher.AEAD) StoreOption {
	return func(s *Store) { s.aead = aead }
}

// Open opens a store and creates or upgrades its tables:
//
//	sqlite:orders.db                 a file, created with mode 0600; one machine
//	postgres://user@host/database    any number of processes and machines
//
// After the file a question mark may follow with SQLite's URI parameters. A
// commit is on the disk before a request leaves: SQLite runs with WAL and
// synchronous FULL, PostgreSQL with synchronous_commit on unless the data source
// says otherwise.
func Open(ctx context.Context, dataSource string, opts ...StoreOption) (*Store, error) {
	s := new(Store)
	for _, opt := range opts {
		opt(s)
	}
	if s.aead != nil && s.aead.NonceSize() < minNonce {
		return nil, fmt.Errorf("idempotency: a nonce of %d bytes is too short to be random", s.aead.NonceSize())
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

// Close closes the database. Calls under way must have ended.
func (s *Store) Close() error { return s.db.Close() }

// Database is for the other packages of this module.
func (s *Store) Database() *database.DB { return s.db }

// Purge deletes the rows that ended before a time, by the database's clock, and
// returns how many. What is open is never deleted. A key that was purged is new
// again: keep rows for longer than a key can come back.
func (s *Store) Purge(ctx context.Context, before time.Time) (int64, error) {
	result, err := s.db.ExecContext(ctx, s.db.SQL(`DELETE FROM whozex_operations
		WHERE state IN ('succeeded', 'failed') AND updated_at < $1 AND is_open = 0`), before.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("idempotency: purge: %w", err)
	}
	return result.RowsAffected()
}

// Counts are the rows of each state.
type Counts struct {
	Pending, Succeeded, Failed, Indeterminate int64
}

// Counts counts the rows, for metrics. It reads an index from end to end: once a
// minute is fine, once a call is not.
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
