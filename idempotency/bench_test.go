package idempotency_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

var storedKeys = flag.String("stored", "1000", "`numbers` of keys that the benchmarks find in the store")

// Keys a second against the bare call, on a loopback server: one after the other,
// and 16 at a time. A replay is a key that has succeeded. Event and purchase look
// into the indexes.
//
//	go -C idempotency test -run '^$' -bench . -benchtime 2s -stored 1000,1000000 .
func BenchmarkKeys(b *testing.B) {
	server := whozextest.NewServer(whozextest.WithBalance(dec("1000000000")))
	b.Cleanup(server.Close)
	user, err := server.AddUser("john@example.com", "")
	require.NoError(b, err)
	client := server.Client()
	amount := dec("0.01")
	atOnce := func(b *testing.B, name string, do func() error) {
		b.Run(name+"/sequential", func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, do())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
		b.Run(name+"/16 at a time", func(b *testing.B) {
			b.SetParallelism(8) // times 2 processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := do(); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
	atOnce(b, "bare", func() error {
		_, err := client.AddBalance(b.Context(), user, amount, "")
		return err
	})
	var n atomic.Int64
	for rows := range strings.SplitSeq(*storedKeys, ",") {
		stored, err := strconv.Atoi(rows)
		require.NoError(b, err)
		for name, source := range map[string]string{"sqlite": "sqlite:" + filepath.Join(b.TempDir(), "orders.db"), "postgres": startPostgres(b).source()} {
			store, err := idempotency.Open(b.Context(), source)
			require.NoError(b, err)
			b.Cleanup(func() { _ = store.Close() })
			once := idempotency.New(client, store)
			load(b, store, stored)
			at := fmt.Sprintf("%s/%d stored", name, stored)
			atOnce(b, at+"/call", func() error {
				_, err := once.AddBalance(b.Context(), fmt.Sprintf("order-%d", n.Add(1)), user, amount, "")
				return err
			})
			_, err = once.AddBalance(b.Context(), "again", user, amount, "")
			require.NoError(b, err)
			atOnce(b, at+"/replay", func() error {
				_, err := once.AddBalance(b.Context(), "again", user, amount, "")
				return err
			})
			b.Run(at+"/purchase", func(b *testing.B) {
				require.NoError(b, server.SetUserBalance(user, dec("100000000")))
				for b.Loop() {
					_, err := once.PurchasePackage(b.Context(), fmt.Sprintf("order-%d", n.Add(1)), user, whozex.PurchasePackageParams{GB: 1})
					require.NoError(b, err)
				}
			})
			b.Run(at+"/find, list open and event", func(b *testing.B) {
				event := created(b, user, "PKG-NOBODYS", 1, time.Now())
				for b.Loop() {
					_, err := once.FindResult(b.Context(), "PKG-7")
					require.NoError(b, err)
					_, err = once.Pending(b.Context())
					require.NoError(b, err)
					require.NoError(b, once.HandleEvent(b.Context(), event))
				}
			})
		}
	}
}

// load stores keys that have succeeded.
func load(b *testing.B, store *idempotency.Store, n int) {
	b.Helper()
	series := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)`
	_, err := store.Database().ExecContext(b.Context(), store.Database().SQL(series+` INSERT INTO whozex_operations
		(idempotency_key, operation, subject_id, params, state, attempt, owner, lease_until, record, response, result_id, source, created_at, updated_at)
		SELECT 'stored-' || i, 'PurchasePackage', 'user-' || (i % 1000), '{"gb":20}', 'succeeded', 1, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 0,
			(SELECT CAST('{"operation":"PurchasePackage","sent_at":"2026-01-01T00:00:00Z","attempts":1}' AS `+blobType(store)+`)),
			(SELECT CAST('{"success":true,"data":{"id":"PKG-A1B2C3","total_gb":20,"status":"active","cost":18}}' AS `+blobType(store)+`)),
			'PKG-' || i, 'response', {now}, {now} FROM n`), n)
	require.NoError(b, err)
	if store.Database().Dialect == "postgres" {
		for _, settle := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} { // or they run during the benchmarks
			_, err := store.Database().ExecContext(b.Context(), settle)
			require.NoError(b, err)
		}
	}
}

func blobType(store *idempotency.Store) string {
	if store.Database().Dialect == "sqlite" {
		return "BLOB"
	}
	return "BYTEA"
}
