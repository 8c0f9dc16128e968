package main

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/whozex/whozex-go/idempotency"
)

// packageID is the form of the API's example, PKG-A1B2C3, of any length.
var packageID = regexp.MustCompile(`^PKG-[0-9A-Za-z]{1,40}$`)

// openOutcomes lists the operations whose outcome is unknown.
func (d *dashboard) openOutcomes(w http.ResponseWriter, r *http.Request) {
	d.render(w, r, http.StatusOK, "open", "Open outcomes", d.unknown(r.Context()))
}

// resolve records a person's decision about the outcome of an operation.
func (d *dashboard) resolve(w http.ResponseWriter, r *http.Request) {
	id, found := r.PathValue("id"), strings.TrimSpace(r.PostFormValue("package"))
	why := cut(r.PostFormValue("reason"), 200)
	outcome := r.PostFormValue("outcome")
	switch {
	case outcome != "carried out" && outcome != "not carried out":
		d.fail(w, r, http.StatusUnprocessableEntity, "Choose whether it was carried out. Nothing was changed.")
		return
	case why == "":
		d.fail(w, r, http.StatusUnprocessableEntity, "Enter where you saw it. Nothing was changed.")
		return
	case found != "" && !packageID.MatchString(found):
		d.fail(w, r, http.StatusUnprocessableEntity, "A package's id looks like PKG-A1B2C3. Nothing was changed.")
		return
	}
	decision := idempotency.Resolution{Applied: outcome == "carried out", Reason: "decided by " + cmp.Or(person(r.Context()), "a person at the dashboard") + ": " + why}
	if decision.Applied {
		decision.ResultID = found
	}
	_, err := d.once.Resolve(r.Context(), id, decision)
	switch {
	case errors.Is(err, idempotency.ErrUnknownKey):
		d.fail(w, r, http.StatusNotFound, "Operation not found.")
	case errors.Is(err, idempotency.ErrInProgress):
		d.fail(w, r, http.StatusConflict, "The call is in progress. Look again in a minute.")
	case errors.Is(err, idempotency.ErrKeyReused):
		d.fail(w, r, http.StatusConflict, "It is already resolved with another outcome. Nothing was changed.")
	case err != nil:
		d.fail(w, r, http.StatusInternalServerError, explain(err))
	default:
		http.Redirect(w, r, "/operations/"+url.PathEscape(id), http.StatusSeeOther)
	}
}
