package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

func TestCSV(t *testing.T) {
	d, home := launch(t)
	id, err := d.sandbox.AddUser("eve@example.com", `=HYPERLINK("http://evil.example")`)
	require.NoError(t, err)
	v := newVisitor(t, home)
	read := func(path string) [][]string {
		res, body, err := v.send(t.Context(), http.MethodGet, path, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, res.StatusCode)
		assert.Contains(t, res.Header.Get("Content-Disposition"), "attachment")
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		require.NoError(t, err)
		return rows
	}
	users := read("/users.csv")
	assert.Len(t, users, 62)
	assert.Equal(t, []string{id, `'=HYPERLINK("http://evil.example")`, "eve@example.com", "0", "0"}, users[1][:5])
	assert.Len(t, read("/users.csv?q=okafor"), 2)
	assert.Len(t, read("/packages.csv"), 1+d.sandbox.Commits(whozex.OpPurchasePackage))
	assert.Len(t, read("/transactions.csv"), 1+d.sandbox.Commits(whozex.OpPurchasePackage)+d.sandbox.Commits(whozex.OpAddBalance))
	status, body := v.get("/transactions.csv?type=gold")
	assert.Equal(t, http.StatusBadGateway, status)
	assert.Contains(t, body, "type")
}

func TestEscapeFormula(t *testing.T) {
	for _, tt := range []struct{ cell, want string }{
		{cell: "", want: ""}, {cell: "Eve", want: "Eve"}, {cell: "=1+1", want: "'=1+1"}, {cell: "+1", want: "'+1"}, {cell: "-1+1", want: "'-1+1"},
		{cell: "@SUM(A1)", want: "'@SUM(A1)"}, {cell: "\t=1", want: "'\t=1"}, {cell: "\r=1", want: "'\r=1"}, {cell: "＝1", want: "'＝1"},
		{cell: "-5.50", want: "-5.50"}, {cell: "--1", want: "'--1"},
	} {
		assert.Equal(t, tt.want, escapeFormula(tt.cell), "%q", tt.cell)
	}
}

// TestCSV_Incomplete checks that an incomplete table fails the download.
func TestCSV_Incomplete(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeCSV(w, "x", []string{"n"}, func(yield func([]string, error) bool) {
			for n := range 1000 {
				if !yield([]string{fmt.Sprint(n)}, nil) {
					return
				}
			}
			yield(nil, whozex.ErrServer)
		})
	}))
	defer server.Close()
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// TestCSV_ConstantMemory streams many pages of users.
func TestCSV_ConstantMemory(t *testing.T) {
	const rows = 100_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before, most uint64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeCSV(w, "x", []string{"id", "name"}, func(yield func([]string, error) bool) {
			for n := range rows {
				if n == 1000 {
					before = heap()
				}
				if n%20_000 == 0 {
					most = max(most, heap())
				}
				if !yield([]string{fmt.Sprint(n), strings.Repeat("x", 100)}, nil) {
					return
				}
			}
		})
	}))
	defer server.Close()
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	size, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	t.Logf("%d rows, %d bytes; heap %d at the beginning, %d at most", rows, size, before, most)
	assert.Greater(t, size, int64(10_000_000))
	assert.Less(t, most, before+4<<20)
}

func TestCSV_AllPages(t *testing.T) {
	_, home, _ := launchOn(t, config{}, whozextest.WithUsers(1234))
	_, body, err := newVisitor(t, home).send(t.Context(), http.MethodGet, "/users.csv", nil)
	require.NoError(t, err)
	assert.Equal(t, 1235, strings.Count(body, "\n"))
}
