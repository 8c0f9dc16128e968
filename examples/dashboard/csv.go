package main

import (
	"encoding/csv"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// flushEvery is how many rows are sent at once.
const flushEvery = 100

// writeCSV streams rows without buffering them. On an error it aborts the connection, so
// that nobody takes a partial table for the whole.
func writeCSV(w http.ResponseWriter, name string, columns []string, rows iter.Seq2[[]string, error]) {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="whozex-`+name+"-"+time.Now().UTC().Format(time.DateOnly)+`.csv"`)
	out, flush := csv.NewWriter(w), http.NewResponseController(w)
	err := out.Write(columns)
	n := 0
	for row, rowErr := range rows {
		if rowErr != nil {
			if n == 0 { // no row is sent yet
				h.Del("Content-Disposition")
				http.Error(w, explain(rowErr), http.StatusBadGateway)
				return
			}
			err = rowErr
			break
		}
		for i, cell := range row {
			row[i] = escapeFormula(cell)
		}
		if err = out.Write(row); err != nil {
			break
		}
		if n++; n%flushEvery == 0 {
			out.Flush()
			if err = flush.Flush(); err != nil {
				break
			}
		}
	}
	if err == nil {
		out.Flush()
		err = out.Error()
	}
	if err != nil {
		slog.Warn("csv", "table", name, "rows", n, "error", err)
		panic(http.ErrAbortHandler)
	}
}

// escapeFormula prevents a spreadsheet from reading text as a formula. Numbers stay
// numbers.
func escapeFormula(cell string) string {
	if cell == "" || cents.MatchString(strings.TrimPrefix(cell, "-")) || !strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
		return cell
	}
	return "'" + cell
}

// formatTime formats a time for spreadsheets; empty for a zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

func nullable(d decimal.NullDecimal) string {
	if !d.Valid {
		return ""
	}
	return d.Decimal.String()
}

// table turns a list into rows.
func table[T any](list iter.Seq2[T, error], row func(T) []string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for item, err := range list {
			var cells []string
			if err == nil {
				cells = row(item)
			}
			if !yield(cells, err) || err != nil {
				return
			}
		}
	}
}

func (d *dashboard) usersCSV(w http.ResponseWriter, r *http.Request) {
	users := d.client.AllUsers(r.Context(), whozex.ListUsersParams{Search: cut(r.FormValue("q"), 200)}, whozex.Prefetch(2))
	writeCSV(w, "users", []string{"id", "name", "email", "balance_usd", "packages", "created_utc"}, table(users, func(u whozex.User) []string {
		return []string{u.ID, u.Name, u.Email, u.Balance.String(), strconv.Itoa(u.PackageCount), formatTime(u.CreatedAt)}
	}))
}

func (d *dashboard) transactionsCSV(w http.ResponseWriter, r *http.Request) {
	params := whozex.ListTransactionsParams{Type: whozex.TransactionType(r.FormValue("type"))}
	all := d.client.AllTransactions(r.Context(), params, whozex.Prefetch(2))
	writeCSV(w, "transactions", []string{"id", "type", "amount_usd", "balance_after_usd", "note", "created_utc"}, table(all, func(t whozex.Transaction) []string {
		return []string{t.ID, string(t.Type), nullable(t.Amount), nullable(t.BalanceAfter), t.Note, formatTime(t.CreatedAt)}
	}))
}

func (d *dashboard) packagesCSV(w http.ResponseWriter, r *http.Request) {
	all := func(yield func(knownPackage, error) bool) {
		for _, k := range d.catalog.list(nil) {
			if !yield(k, nil) {
				return
			}
		}
	}
	writeCSV(w, "packages", []string{"id", "user_id", "user_name", "gb", "cost_usd", "created_utc"}, table(all, func(k knownPackage) []string {
		return []string{k.ID, k.UserID, d.userCache.get(k.UserID).Name, k.GB.String(), k.Cost.String(), formatTime(k.CreatedAt)}
	}))
}
