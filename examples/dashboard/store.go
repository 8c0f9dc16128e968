package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	_ "modernc.org/sqlite"

	"github.com/whozex/whozex-go/idempotency"
)

// store keeps idempotency keys, packages and events in one file or, without a path, in
// memory.
type store struct {
	keys *idempotency.Store
	db   *sql.DB
}

func openStore(ctx context.Context, path string) (s *store, err error) {
	s, path = new(store), cmp.Or(path, ":memory:")
	if s.keys, err = idempotency.Open(ctx, "sqlite:"+path); err != nil {
		return s, err
	}
	if s.db, err = sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)"); err != nil {
		return s, err
	}
	s.db.SetMaxOpenConns(1) // each connection to ":memory:" would be another database
	_, err = s.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS dashboard_packages (id TEXT PRIMARY KEY, package TEXT NOT NULL);`+eventsTable)
	return s, err
}

func (s *store) put(k knownPackage) error {
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(`INSERT INTO dashboard_packages (id, package) VALUES (?, ?)
		ON CONFLICT (id) DO UPDATE SET package = excluded.package`, k.ID, string(data))
	return err
}

func (s *store) packages(ctx context.Context) (all []knownPackage, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT package FROM dashboard_packages`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var data []byte
		var k knownPackage
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &k); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

func (s *store) close() (err error) {
	if s.keys != nil {
		err = s.keys.Close()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}
