package main

import (
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"
)

var buckets = []string{"packages", "operations"}

// store keeps records over restarts; the zero store forgets.
type store struct{ db *bbolt.DB }

func openStore(path string) (*store, error) {
	if path == "" {
		return &store{}, nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range buckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(bucket)); err != nil {
				return err
			}
		}
		return nil
	})
	return &store{db}, err
}

func (s *store) put(bucket, key string, value any) error {
	if s.db == nil {
		return nil
	}
	record, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), record) })
}

func each[T any](s *store, bucket string, visit func(T)) error {
	if s.db == nil {
		return nil
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(_, record []byte) error {
			var value T
			err := json.Unmarshal(record, &value)
			if err == nil {
				visit(value)
			}
			return err
		})
	})
}

func (s *store) close() error {
	if s == nil || s.db == nil {
		return nil
	}
	return s.db.Close()
}
