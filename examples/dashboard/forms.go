package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
)

// cookie is not the session of a login: it ties a quote to the browser that asked.
const cookie = "whozex_dashboard"

// spendTimeout bounds a mutating call, with what Reconcile reads after it.
const spendTimeout = time.Minute

var cents = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,2})?$`)

// writing lets next only be reached where spending is allowed.
func (d *dashboard) writing(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !d.write {
			d.fail(w, r, http.StatusForbidden, "The dashboard was started for reading only. Nothing was done.")
			return
		}
		next(w, r)
	}
}

func newKey() string { return "dashboard-" + rand.Text() }

// quoteMove asks for a top-up or, as kind says, a deduction.
func (d *dashboard) quoteMove(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text := strings.TrimSpace(r.PostFormValue("amount"))
		amount, err := decimal.NewFromString(text)
		if !cents.MatchString(text) || err != nil || !amount.IsPositive() {
			d.fail(w, r, http.StatusUnprocessableEntity, "The amount must be above zero, in dollars and cents with a point, such as 25 or 12.50.")
			return
		}
		account, err := d.client.GetAccount(r.Context(), whozex.Fresh())
		if err != nil {
			d.fail(w, r, http.StatusBadGateway, explain(err))
			return
		}
		d.quote(w, r, r.PathValue("id"), operation{ID: newKey(), Kind: kind, Amount: amount, PayerBefore: account.Balance, Note: cut(r.PostFormValue("note"), 50)})
	}
}

func (d *dashboard) quotePurchase(w http.ResponseWriter, r *http.Request) {
	op := operation{ID: newKey(), Kind: "purchase", ProxyType: whozex.ProxyType(r.PostFormValue("proxy_type"))}
	switch op.ProxyType {
	case whozex.ProxyResidential, whozex.ProxyDatacenter, whozex.ProxyMobile:
	default:
		d.fail(w, r, http.StatusUnprocessableEntity, "There is no such proxy type.")
		return
	}
	d.quoteGB(w, r, r.PathValue("id"), op)
}

// quote fills in who pays, and leads to the page that asks for confirmation.
func (d *dashboard) quote(w http.ResponseWriter, r *http.Request, userID string, op operation) {
	user, err := d.find(r.Context(), userID, whozex.Fresh())
	if err != nil {
		d.failed(w, r, err)
		return
	}
	op.User = user
	op.UserAfter = user.Balance.Add(op.Amount)
	if op.Kind != "top-up" { // the user pays
		op.ResellerAfter = op.PayerBefore.Add(op.Amount)
		op.PayerBefore, op.UserAfter = user.Balance, user.Balance.Sub(op.Amount)
	}
	op.PayerAfter = op.PayerBefore.Sub(op.Amount)
	op.Short = op.PayerAfter.IsNegative()
	session := sessionOf(r)
	if session == "" {
		session = rand.Text()
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	op = d.ops.quote(op, session)
	http.Redirect(w, r, "/operations/"+op.ID, http.StatusSeeOther)
}

func sessionOf(r *http.Request) string {
	if c, err := r.Cookie(cookie); err == nil {
		return c.Value
	}
	return ""
}

// operation shows a quote or what became of it, whichever is true now: reload
// and the back button find the outcome where the form was.
func (d *dashboard) operation(w http.ResponseWriter, r *http.Request) {
	op, ok, err := d.look(r.Context(), r.PathValue("id"))
	if err != nil {
		d.fail(w, r, http.StatusInternalServerError, "The file of operations cannot be read: "+err.Error())
		return
	}
	if !ok {
		d.fail(w, r, http.StatusGone, "This quote is too old, or the dashboard was restarted since. Nothing was sent. Begin again from the user's page.")
		return
	}
	if op.session != "" && !same(op.session, sessionOf(r)) {
		op.token = "" // seen, but not confirmed, from another browser
	}
	d.render(w, r, http.StatusOK, "operation", op.What(), struct {
		operation
		Seen []known
	}{op, d.shelf.matching(op)})
}

// confirm carries the operation out for the first that comes with its token.
// All others wait with it and are led to the same outcome.
func (d *dashboard) confirm(w http.ResponseWriter, r *http.Request) {
	op, first, err := d.ops.begin(r.PathValue("id"), r.PostFormValue("token"), sessionOf(r))
	switch {
	case errors.Is(err, errNoOperation):
		d.operation(w, r)
		return
	case errors.Is(err, errForeign):
		d.fail(w, r, http.StatusForbidden, "This form is not one that the dashboard gave to this browser. Nothing was done.")
		return
	}
	if first {
		// A browser hangs up on the second of two clicks; the call must not end by it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), spendTimeout)
		d.running.Go(func() {
			defer cancel()
			d.carryOut(ctx, op)
		})
	}
	select {
	case <-op.settled:
		http.Redirect(w, r, "/operations/"+op.ID, http.StatusSeeOther)
	case <-r.Context().Done():
	}
}

// plain is an error in words for the page.
type plain string

func (p plain) Error() string { return string(p) }

// explain says what went wrong to whoever looks at the page.
func explain(err error) string {
	var words plain
	var refused *whozex.Error
	var param *whozex.ParamError
	var network net.Error
	switch {
	case err == nil:
		return "no answer came"
	case errors.As(err, &words):
		return string(words)
	case errors.Is(err, whozex.ErrInsufficientBalance):
		return "The balance is too low."
	case errors.Is(err, whozex.ErrInvalidAPIKey), errors.Is(err, whozex.ErrAPIDisabled):
		return "The API refused the key: it is unknown, revoked or switched off."
	case errors.Is(err, whozex.ErrRateLimited):
		return "The API asked for a pause (too many requests). Try again in a minute."
	case errors.Is(err, whozex.ErrNotFound):
		return "The API does not know it (any more)."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "The connection broke off before a whole answer came."
	case errors.Is(err, context.DeadlineExceeded):
		return "The API did not answer in time."
	case errors.As(err, &param):
		return fmt.Sprintf("%s: %s.", param.Field, param.Reason)
	case errors.Is(err, whozex.ErrServer):
		return "The API has trouble of its own. Try again in a minute."
	case errors.As(err, &refused):
		return "The API refused it: " + visible(cut(refused.Message, 200))
	case errors.As(err, &network):
		return "The API cannot be reached. Try again in a minute."
	}
	slog.Warn("dashboard", "error", err)
	return "The API gave an answer that the dashboard does not understand. Its log has more."
}

func (d *dashboard) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	if errors.Is(err, errNoUser) || errors.Is(err, whozex.ErrNotFound) {
		status = http.StatusNotFound
	}
	d.fail(w, r, status, explain(err))
}
