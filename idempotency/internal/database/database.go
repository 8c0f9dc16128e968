// Package database opens the SQLite or PostgreSQL database of this module and hides
// the differences between them.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Dialect is a kind of database, and the folder of its schema files.
type Dialect string

// The dialects.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// ErrDSN means that the scheme of a data source name is not supported.
var ErrDSN = errors.New(`the data source must begin with "sqlite:" or "postgres://"`)

// postgresConnections limits the connections of one process.
const postgresConnections = 16

// DB is an open database.
type DB struct {
	*sql.DB
	Dialect Dialect

	path string      // the file of SQLite; empty for a database in memory
	file os.FileInfo // the file when it was opened

	statements sync.Map // from a query to its translation, see SQL
}

// Open opens "sqlite:FILE", optionally with SQLite's URI parameters after a question
// mark, or "postgres://…", and checks the connection.
func Open(ctx context.Context, dsn string) (*DB, error) {
	var db *DB
	var err error
	switch scheme, rest, _ := strings.Cut(dsn, ":"); scheme {
	case "sqlite":
		db, err = openSQLite(rest)
	case "postgres", "postgresql":
		db, err = openPostgres(dsn)
	default:
		return nil, ErrDSN
	}
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if db.path != "" {
		if db.file, err = os.Stat(db.path); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// Gone returns an error if the file of SQLite was removed or replaced since it was
// opened. Writes would otherwise be lost without an error.
func (db *DB) Gone() error {
	if db.path == "" {
		return nil
	}
	now, err := os.Stat(db.path)
	if err == nil && !os.SameFile(now, db.file) {
		err = fmt.Errorf("%s was replaced while it was open", db.path)
	}
	return err
}

// openSQLite uses WAL, so that a commit takes one fsync. It uses one connection:
// SQLite has one writer at a time, and waiting in database/sql is faster than its
// busy loop.
func openSQLite(rest string) (*DB, error) {
	file, query, _ := strings.Cut(rest, "?")
	if file == "" {
		return nil, fmt.Errorf("%w, followed by a file", ErrDSN)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("parameters of the data source: %w", err)
	}
	if file != ":memory:" && values.Get("mode") == "" {
		if err := createPrivate(file); err != nil {
			return nil, err
		}
	}
	values["_pragma"] = append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, values["_pragma"]...)
	values.Set("_txlock", "immediate")
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(file)
	pool, err := sql.Open("sqlite", "file:"+escaped+"?"+values.Encode())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	pool.SetMaxIdleConns(1)
	pool.SetConnMaxIdleTime(0)
	if file == ":memory:" || values.Get("mode") == "memory" {
		file = ""
	}
	return &DB{DB: pool, Dialect: SQLite, path: file}, nil
}

// createPrivate creates a missing file that only its owner can read. SQLite would
// use the umask.
func createPrivate(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func openPostgres(dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	// A commit must be on disk before a request is sent, so do not use the server's
	// default.
	if config.RuntimeParams["synchronous_commit"] == "" {
		config.RuntimeParams["synchronous_commit"] = "on"
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(postgresConnections)
	pool.SetMaxIdleConns(postgresConnections)
	return &DB{DB: pool, Dialect: Postgres}, nil
}

var (
	placeholder = regexp.MustCompile(`\$([0-9]+)`)
	now         = map[Dialect]string{
		SQLite:   `CAST(unixepoch('subsec') * 1000 AS INTEGER)`,
		Postgres: `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`,
	}
)

// SQL translates a query to the dialect. In the query, $1 is a parameter and {now}
// is the time of the database's clock, in milliseconds since 1970.
func (db *DB) SQL(query string) string {
	if cached, ok := db.statements.Load(query); ok {
		return cached.(string)
	}
	translated := strings.ReplaceAll(query, "{now}", now[db.Dialect])
	if db.Dialect == SQLite {
		translated = placeholder.ReplaceAllString(translated, "?$1")
	}
	db.statements.Store(query, translated)
	return translated
}

// InTx runs do in a transaction. It commits if do returns nil.
func (db *DB) InTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after Commit, and also if do panics
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
