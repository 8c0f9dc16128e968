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

// cookie binds a quote to the browser that requested it. It is not a login session.
const cookie = "whozex_dashboard"

// callTimeout bounds a mutating call together with Reconcile's reads after it.
const callTimeout = time.Minute

var cents = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,2})?$`)

// requireWrite calls next only if mutating calls are allowed.
func (d *dashboard) requireWrite(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !d.write {
			d.fail(w, r, http.StatusForbidden, "The dashboard is read-only. Nothing was done.")
			return
		}
		next(w, r)
	}
}

func newKey() string { return "dashboard-" + rand.Text() }

// quoteTransfer makes the quote of a top-up or deduction.
func (d *dashboard) quoteTransfer(kind string) http.HandlerFunc {
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
		d.fail(w, r, http.StatusUnprocessableEntity, "Unknown proxy type.")
		return
	}
	d.quoteGB(w, r, r.PathValue("id"), op)
}

// quote fills in the payer and redirects to the page that asks for confirmation.
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

// operation shows a quote or, once confirmed, its outcome under the same URL, so that
// reload and the back button show the outcome instead of the form.
func (d *dashboard) operation(w http.ResponseWriter, r *http.Request) {
	op, ok, err := d.lookUp(r.Context(), r.PathValue("id"))
	if err != nil {
		d.fail(w, r, http.StatusInternalServerError, "The stored operations cannot be read: "+err.Error())
		return
	}
	if !ok {
		d.fail(w, r, http.StatusGone, "This quote has expired, or the dashboard was restarted. Nothing was sent. Start again from the user's page.")
		return
	}
	if op.session != "" && !same(op.session, sessionOf(r)) {
		op.token = "" // another browser may see but not confirm it
	}
	d.render(w, r, http.StatusOK, "operation", op.What(), struct {
		operation
		Seen []knownPackage
	}{op, d.catalog.matching(op)})
}

// confirm executes the operation for the first request with its token. Later requests
// wait and are redirected to the same outcome.
func (d *dashboard) confirm(w http.ResponseWriter, r *http.Request) {
	op, first, err := d.ops.begin(r.PathValue("id"), r.PostFormValue("token"), sessionOf(r))
	switch {
	case errors.Is(err, errNoOperation):
		d.operation(w, r)
		return
	case errors.Is(err, errForeign):
		d.fail(w, r, http.StatusForbidden, "The dashboard did not issue this form to this browser. Nothing was done.")
		return
	}
	if first {
		// On a double click the browser cancels the first request; the call must go on.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), callTimeout)
		d.running.Go(func() {
			defer cancel()
			d.execute(ctx, op)
		})
	}
	select {
	case <-op.settled:
		http.Redirect(w, r, "/operations/"+op.ID, http.StatusSeeOther)
	case <-r.Context().Done():
	}
}

// plain is an error whose text is shown on the page.
type plain string

func (p plain) Error() string { return string(p) }

// explain describes an error for the page.
func explain(err error) string {
	var words plain
	var refused *whozex.Error
	var param *whozex.ParamError
	var network net.Error
	switch {
	case err == nil:
		return "no response arrived"
	case errors.As(err, &words):
		return string(words)
	case errors.Is(err, whozex.ErrInsufficientBalance):
		return "The balance is too low."
	case errors.Is(err, whozex.ErrInvalidAPIKey), errors.Is(err, whozex.ErrAPIDisabled):
		return "The API refused the key: it is unknown, revoked or switched off."
	case errors.Is(err, whozex.ErrRateLimited):
		return "The API asked for a pause (too many requests). Try again in a minute."
	case errors.Is(err, whozex.ErrNotFound):
		return "The API has no such item, or no longer has it."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "The connection ended before the whole response arrived."
	case errors.Is(err, context.DeadlineExceeded):
		return "The API did not respond in time."
	case errors.As(err, &param):
		return fmt.Sprintf("%s: %s.", param.Field, param.Reason)
	case errors.Is(err, whozex.ErrServer):
		return "The API reported an internal error. Try again in a minute."
	case errors.As(err, &refused):
		return "The API refused it: " + visible(cut(refused.Message, 200))
	case errors.As(err, &network):
		return "The API cannot be reached. Try again in a minute."
	}
	slog.Warn("dashboard", "error", err)
	return "The dashboard does not understand the API's response. Its log has more."
}

func (d *dashboard) failed(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	if errors.Is(err, errNoUser) || errors.Is(err, whozex.ErrNotFound) {
		status = http.StatusNotFound
	}
	d.fail(w, r, status, explain(err))
}
