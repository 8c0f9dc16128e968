package idempotency_test

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/whozextest"
)

var (
	storedKeys = flag.Int("stored", 20_000, "`number` of keys in the large stores")
	rounds     = flag.Int("rounds", 100, "`number` of rounds in the comparison")
)

// The test compares calls with a key, in small and large stores, with the plain
// call of the client to a loopback server. The cases take turns, so that other load
// on the machine affects all of them equally.
//
//	go -C idempotency test -run TestCost -v -stored 1000000 -rounds 1000 .
func TestCost(t *testing.T) {
	server := whozextest.NewServer(whozextest.WithBalance(dec("1000000000")))
	t.Cleanup(server.Close)
	user, err := server.AddUser("john@example.com", "")
	require.NoError(t, err)
	require.NoError(t, server.SetUserBalance(user, dec("1000000")))
	client, amount, n := server.Client(), dec("0.01"), 0
	type testCase struct {
		name string
		do   func() error
	}
	cases := []testCase{{"plain call", func() error { _, err := client.AddBalance(t.Context(), user, amount, ""); return err }}}
	pg := startPostgres(t)
	for _, stored := range []int{1000, *storedKeys} {
		for dbName, source := range map[string]string{
			"SQLite":     "sqlite:" + filepath.Join(t.TempDir(), "orders.db"),
			"PostgreSQL": pg.create(),
		} {
			store, err := idempotency.Open(t.Context(), source)
			require.NoError(t, err)
			t.Cleanup(func() { _ = store.Close() })
			once := idempotency.New(client, store)
			insertSucceeded(t, store, stored)
			event := packageCreated(t, user, "PKG-0", 1, time.Now())
			for name, do := range map[string]func() error{
				"new key": func() error {
					_, err := once.AddBalance(t.Context(), fmt.Sprintf("order-%d", n), user, amount, "")
					return err
				},
				"succeeded key": func() error {
					_, err := once.AddBalance(t.Context(), "again", user, amount, "")
					return err
				},
				"FindResult, Pending, HandleEvent": func() error {
					_, findErr := once.FindResult(t.Context(), "PKG-7")
					_, listErr := once.Pending(t.Context())
					return errors.Join(findErr, listErr, once.HandleEvent(t.Context(), event))
				},
			} {
				cases = append(cases, testCase{fmt.Sprintf("%s, %s, %d stored", name, dbName, stored), do})
			}
		}
	}
	durations := make([][]time.Duration, len(cases))
	for range *rounds {
		n++
		for i, c := range cases {
			start := time.Now()
			require.NoError(t, c.do(), c.name)
			durations[i] = append(durations[i], time.Since(start))
		}
	}
	for i, c := range cases {
		slices.Sort(durations[i])
		median := durations[i][len(durations[i])/2]
		t.Logf("%-60s %8v  %5.1f plain calls", c.name, median.Round(time.Microsecond), float64(median)/float64(durations[0][len(durations[0])/2]))
	}
}

// The benchmark measures new keys per second with 16 concurrent calls.
func BenchmarkConcurrentKeys(b *testing.B) {
	server := whozextest.NewServer(whozextest.WithBalance(dec("1000000000")))
	b.Cleanup(server.Close)
	user, err := server.AddUser("john@example.com", "")
	require.NoError(b, err)
	client, amount := server.Client(), dec("0.01")
	var n atomic.Int64
	run := func(name string, do func(key string) error) {
		b.Run(name, func(b *testing.B) {
			b.SetParallelism(8) // 8 goroutines per processor, of which there are 2
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := do(fmt.Sprintf("order-%d", n.Add(1))); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
	run("plain", func(string) error { _, err := client.AddBalance(b.Context(), user, amount, ""); return err })
	for name, source := range map[string]string{"sqlite": "sqlite:" + filepath.Join(b.TempDir(), "orders.db"), "postgres": startPostgres(b).url} {
		store, err := idempotency.Open(b.Context(), source)
		require.NoError(b, err)
		b.Cleanup(func() { _ = store.Close() })
		once := idempotency.New(client, store)
		run(name, func(key string) error { _, err := once.AddBalance(b.Context(), key, user, amount, ""); return err })
	}
}

// insertSucceeded inserts n keys that have succeeded.
func insertSucceeded(t testing.TB, store *idempotency.Store, n int) {
	t.Helper()
	series := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)`
	_, err := store.Database().ExecContext(t.Context(), store.Database().SQL(series+` INSERT INTO whozex_operations
		(idempotency_key, operation, subject_id, params, state, attempt, owner, lease_until, record, response, result_id, source, created_at, updated_at)
		SELECT 'stored-' || i, 'PurchasePackage', 'user-' || (i % 1000), '{"gb":20}', 'succeeded', 1, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 0,
			(SELECT CAST('{"operation":"PurchasePackage","sent_at":"2026-01-01T00:00:00Z","attempts":1}' AS `+blobType(store)+`)),
			(SELECT CAST('{"success":true,"data":{"id":"PKG-A1B2C3","total_gb":20,"status":"active","cost":18}}' AS `+blobType(store)+`)),
			'PKG-' || i, 'response', {now}, {now} FROM n`), n)
	require.NoError(t, err)
	if store.Database().Dialect == "postgres" {
		for _, statement := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} { // else they would run during the measurement
			_, err := store.Database().ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
	}
}

func blobType(store *idempotency.Store) string {
	if store.Database().Dialect == "sqlite" {
		return "BLOB"
	}
	return "BYTEA"
}
