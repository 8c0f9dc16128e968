package idempotency_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

func (w *world) file() string { return strings.TrimPrefix(w.source, "sqlite:") }

// If the store cannot be written, every call fails before anything is sent.
func TestOnce_StoreFails(t *testing.T) {
	for _, tt := range []struct {
		name, params string
		damage       func(t *testing.T, w *world)
		want         string
	}{
		{name: "disk full", params: "?_pragma=max_page_count(1)", want: "full"},
		{name: "file read-only", params: "?mode=ro", want: "readonly"},
		{name: "file removed", damage: func(t *testing.T, w *world) { require.NoError(t, os.Remove(w.file())) }, want: "no such file"},
		{name: "file replaced", damage: func(t *testing.T, w *world) {
			require.NoError(t, os.Rename(w.file(), w.file()+".old"))
			require.NoError(t, os.WriteFile(w.file(), nil, 0o600))
		}, want: "was replaced"},
	} {
		for op := range newWorld(t).calls() {
			t.Run(tt.name+"/"+string(op), func(t *testing.T) {
				w := newWorld(t)
				w.open() // creates the tables
				w.source += tt.params
				once := w.open()
				if tt.name == "disk full" {
					fillDisk(t, once)
				}
				if tt.damage != nil {
					tt.damage(t, w)
				}
				_, err := w.calls()[op](once, "order-1")
				require.ErrorContains(t, err, tt.want)
				require.ErrorContains(t, err, "nothing was sent")
				assert.NotErrorIs(t, err, whozex.ErrOutcomeUnknown)
				assert.Zero(t, w.requests(op))
			})
		}
	}
}

// fillDisk adds rows until the database is full.
func fillDisk(t *testing.T, once *idempotency.Once) {
	t.Helper()
	var err error
	for i := 0; err == nil; i++ {
		_, err = once.Store().Database().ExecContext(t.Context(), `INSERT INTO whozex_operations
			(idempotency_key, operation, subject_id, params, state, attempt, owner, lease_until, record, created_at, updated_at)
			VALUES (?, '', '', '', 'failed', 1, '', 0, '', 0, 0)`, fmt.Sprint(i))
	}
	require.ErrorContains(t, err, "full")
}

func TestOnce_StoreClosed(t *testing.T) {
	for op := range newWorld(t).calls() {
		t.Run(string(op), func(t *testing.T) {
			w := newWorld(t)
			store, err := idempotency.Open(t.Context(), w.source)
			require.NoError(t, err)
			once := idempotency.New(w.server.Client(), store)
			require.NoError(t, store.Close())
			_, err = w.calls()[op](once, "order-1")
			require.ErrorContains(t, err, "nothing was sent")
			assert.Zero(t, w.requests(op))
		})
	}
}

func TestOpen_Errors(t *testing.T) {
	dir := t.TempDir()
	for name, source := range map[string]string{
		"empty": "", "no file": "sqlite:", "another database": "mysql://localhost/x", "no directory": "sqlite:" + filepath.Join(dir, "none", "x.db"),
		"a directory": "sqlite:" + dir, "no server": "postgres://127.0.0.1:1/x?connect_timeout=1",
	} {
		store, err := idempotency.Open(t.Context(), source)
		assert.Error(t, err, name)
		assert.Nil(t, store, name)
	}
	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, bytes.Repeat([]byte("x"), 8192), 0o600))
	_, err := idempotency.Open(t.Context(), "sqlite:"+garbage)
	require.ErrorContains(t, err, "not a database")
}

func TestOpen_LaterSchema(t *testing.T) {
	w := newWorld(t)
	_, err := w.open().Store().Database().ExecContext(t.Context(), `INSERT INTO whozex_schema VALUES ('operations', 99, 0)`)
	require.NoError(t, err)
	_, err = idempotency.Open(t.Context(), w.source)
	require.ErrorContains(t, err, "the schema is version 99")
}

func TestOpen_FileMode(t *testing.T) {
	w := newWorld(t)
	_, err := w.calls()[whozex.OpCreateWebhook](w.open(), "hook")
	require.NoError(t, err)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(w.file() + suffix)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
}

func TestWithEncryption(t *testing.T) {
	w := newWorld(t)
	block, err := aes.NewCipher(bytes.Repeat([]byte{7}, 32))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	ctx, params := t.Context(), whozex.CreateWebhookParams{URL: "https://example.com", Events: []string{"package.created"}}

	plain := w.open()
	plainWebhook, err := plain.CreateWebhook(ctx, "plain", params)
	require.NoError(t, err)
	store, err := idempotency.Open(ctx, w.source, idempotency.WithEncryption(aead))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	encrypted := idempotency.New(w.server.Client(), store)
	sealedWebhook, err := encrypted.CreateWebhook(ctx, "sealed", params)
	require.NoError(t, err)
	for key, want := range map[string]*whozex.Webhook{"plain": plainWebhook, "sealed": sealedWebhook} {
		got, err := encrypted.CreateWebhook(ctx, key, params)
		require.NoError(t, err, key)
		assert.Equal(t, want.Secret, got.Secret, key)
	}
	_, err = plain.CreateWebhook(ctx, "sealed", params)
	require.ErrorContains(t, err, "sealed")
	assert.Equal(t, 2, w.commits(whozex.OpCreateWebhook))

	fileContent := func() (all []byte) {
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(w.file() + suffix)
			require.NoError(t, err)
			all = append(all, data...)
		}
		return all
	}
	assert.True(t, bytes.Contains(fileContent(), []byte(plainWebhook.Secret)))
	assert.False(t, bytes.Contains(fileContent(), []byte(sealedWebhook.Secret)))

	_, err = store.Database().ExecContext(ctx, `UPDATE whozex_operations SET response =
		(SELECT response FROM whozex_operations WHERE idempotency_key = 'sealed') WHERE idempotency_key = 'plain'`)
	require.NoError(t, err)
	_, err = encrypted.CreateWebhook(ctx, "plain", params)
	require.ErrorContains(t, err, "unseal", "a sealed value is bound to its row")
}

func TestRecord_MayBeLogged(t *testing.T) {
	w := newWorld(t)
	once := w.open()
	webhook, err := once.CreateWebhook(t.Context(), "k", whozex.CreateWebhookParams{URL: "https://example.com", Events: []string{"package.created"}})
	require.NoError(t, err)
	record, err := once.Get(t.Context(), "k")
	require.NoError(t, err)
	record.Unknown.Body = []byte(webhook.Secret) // as if the response had been cut short
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&log, nil), slog.NewTextHandler(&log, nil)} {
		slog.New(handler).Info("x", "pointer", record, "value", *record, "all", []*idempotency.Record{record})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		fmt.Fprintf(&log, verb+verb+verb, record, *record, []idempotency.Record{*record})
	}
	secret := webhook.Secret.Reveal()
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]"), base64.StdEncoding.EncodeToString([]byte(secret))} {
		assert.False(t, strings.Contains(log.String(), form), form)
	}
}

func TestStore_Purge(t *testing.T) {
	w := newWorld(t, whozex.WithGrace(time.Hour))
	once := w.openWithKeys()
	purged, err := once.Store().Purge(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, purged)
	counts, err := once.Store().Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Counts{Pending: 1, Succeeded: 1, Failed: 1, Indeterminate: 1}, counts)
	purged, err = once.Store().Purge(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.EqualValues(t, 2, purged)
	counts, err = once.Store().Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, idempotency.Counts{Pending: 1, Indeterminate: 1}, counts)
}
