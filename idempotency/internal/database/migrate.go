package database

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// schemaLock is the advisory lock for changes of the schema in PostgreSQL.
const schemaLock = 0x77686f7a // "whoz"

// Migrate applies the schema files of a component that the database does not have
// yet. File names begin with their version, as in 001_operations.sql. Migrate
// returns an error if the database has a later version than this module.
func (db *DB) Migrate(ctx context.Context, component string, files fs.FS) error {
	names, err := fs.Glob(files, path.Join(string(db.Dialect), "*.sql"))
	if err != nil {
		return err
	}
	version, err := db.version(ctx, component)
	if err == nil && version == len(names) {
		return nil // before CREATE TABLE, which the user may lack the right to do
	}
	err = db.InTx(ctx, func(tx *sql.Tx) error {
		if db.Dialect == Postgres {
			if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, schemaLock); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS whozex_schema
			(component TEXT NOT NULL, version INTEGER NOT NULL, applied_at BIGINT NOT NULL, PRIMARY KEY (component, version))`); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRowContext(ctx, db.SQL(currentVersion), component).Scan(&version); err != nil {
			return err
		}
		if version > len(names) {
			return fmt.Errorf("the schema is version %d, this program supports up to %d", version, len(names))
		}
		for _, name := range names[version:] {
			if err := db.apply(ctx, tx, component, files, name); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("schema of %s: %w", component, err)
	}
	return nil
}

const currentVersion = `SELECT COALESCE(MAX(version), 0) FROM whozex_schema WHERE component = $1`

func (db *DB) version(ctx context.Context, component string) (version int, err error) {
	err = db.QueryRowContext(ctx, db.SQL(currentVersion), component).Scan(&version)
	return version, err
}

func (db *DB) apply(ctx context.Context, tx *sql.Tx, component string, files fs.FS, name string) error {
	number, _, _ := strings.Cut(path.Base(name), "_")
	version, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	statements, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(string(statements), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, db.SQL(`INSERT INTO whozex_schema (component, version, applied_at) VALUES ($1, $2, {now})`), component, version)
	return err
}
