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

// flushEvery is how many rows go out at once.
const flushEvery = 100

// writeCSV streams rows, of which it holds none. A table that breaks off ends the
// connection, so that nobody takes a part for the whole.
func writeCSV(w http.ResponseWriter, name string, columns []string, rows iter.Seq2[[]string, error]) {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="whozex-`+name+"-"+time.Now().UTC().Format(time.DateOnly)+`.csv"`)
	out, flush := csv.NewWriter(w), http.NewResponseController(w)
	err := out.Write(columns)
	n := 0
	for row, rowErr := range rows {
		if rowErr != nil {
			if n == 0 { // nothing is out yet
				h.Del("Content-Disposition")
				http.Error(w, explain(rowErr), http.StatusBadGateway)
				return
			}
			err = rowErr
			break
		}
		for i, cell := range row {
			row[i] = defuse(cell)
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

// defuse keeps a spreadsheet from taking text for a formula. A number stays one.
func defuse(cell string) string {
	if cell == "" || cents.MatchString(strings.TrimPrefix(cell, "-")) || !strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
		return cell
	}
	return "'" + cell
}

// stamp is a time that spreadsheets know; empty where the API gives none.
func stamp(t time.Time) string {
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

// table makes rows of a list.
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
		return []string{u.ID, u.Name, u.Email, u.Balance.String(), strconv.Itoa(u.PackageCount), stamp(u.CreatedAt)}
	}))
}

func (d *dashboard) transactionsCSV(w http.ResponseWriter, r *http.Request) {
	params := whozex.ListTransactionsParams{Type: whozex.TransactionType(r.FormValue("type"))}
	all := d.client.AllTransactions(r.Context(), params, whozex.Prefetch(2))
	writeCSV(w, "transactions", []string{"id", "type", "amount_usd", "balance_after_usd", "note", "created_utc"}, table(all, func(t whozex.Transaction) []string {
		return []string{t.ID, string(t.Type), nullable(t.Amount), nullable(t.BalanceAfter), t.Note, stamp(t.CreatedAt)}
	}))
}

func (d *dashboard) packagesCSV(w http.ResponseWriter, r *http.Request) {
	all := func(yield func(known, error) bool) {
		for _, k := range d.shelf.list(nil) {
			if !yield(k, nil) {
				return
			}
		}
	}
	writeCSV(w, "packages", []string{"id", "user_id", "user_name", "gb", "cost_usd", "created_utc"}, table(all, func(k known) []string {
		return []string{k.ID, k.UserID, d.people.get(k.UserID).Name, k.GB.String(), k.Cost.String(), stamp(k.CreatedAt)}
	}))
}
