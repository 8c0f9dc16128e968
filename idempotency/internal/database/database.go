// Package database opens the databases that this module keeps its rows in, and
// hides what differs between them.
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

// Dialect names a database; it is also the folder of its schema files.
type Dialect string

// The databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// ErrDSN means that a data source name is of no database that this module knows.
var ErrDSN = errors.New(`the data source must begin with "sqlite:" or "postgres://"`)

// postgresConnections bounds what one process takes of a server's connections.
const postgresConnections = 16

// DB is an open database.
type DB struct {
	*sql.DB
	Dialect Dialect

	path string      // of SQLite's file; empty in memory
	file os.FileInfo // as it was when it was opened

	statements sync.Map // of a query as written to the dialect's
}

// Open opens "sqlite:FILE", with SQLite's URI parameters after a question mark,
// or "postgres://…", and makes sure that it is there.
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

// Gone is an error if SQLite's file was removed or replaced since it was opened:
// what is written would be lost without one.
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

// openSQLite commits by WAL and one fsync. One connection is enough: SQLite has
// one writer, and a queue in Go is shorter than its busy loop.
func openSQLite(rest string) (*DB, error) {
	file, query, _ := strings.Cut(rest, "?")
	if file == "" {
		return nil, fmt.Errorf("%w, with a file after it", ErrDSN)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, fmt.Errorf("parameters of the data source: %w", err)
	}
	if file != ":memory:" && values.Get("mode") == "" {
		if err := private(file); err != nil {
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

// private creates a missing file so that nobody else can read it: SQLite would
// leave that to the umask.
func private(file string) error {
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
	// A commit must be on the disk before a request leaves, whatever the server's
	// default is.
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

// SQL translates a query: $1 is a parameter and {now} the database's clock, in
// milliseconds since 1970.
func (db *DB) SQL(query string) string {
	if done, ok := db.statements.Load(query); ok {
		return done.(string)
	}
	translated := strings.ReplaceAll(query, "{now}", now[db.Dialect])
	if db.Dialect == SQLite {
		translated = placeholder.ReplaceAllString(translated, "?$1")
	}
	db.statements.Store(query, translated)
	return translated
}

// InTx runs do in a transaction.
func (db *DB) InTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // the first error says more
		return err
	}
	return tx.Commit()
}
