package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/whozex/whozex-go"
)

// quoteAddGB makes the quote of GB for a known package. Its user pays.
func (d *dashboard) quoteAddGB(w http.ResponseWriter, r *http.Request) {
	k, ok := d.catalog.get(r.PathValue("id"))
	if !ok {
		d.fail(w, r, http.StatusNotFound, "The dashboard does not know this package.")
		return
	}
	d.quoteGB(w, r, k.UserID, operation{ID: newKey(), Kind: "add-gb", Into: k.ID})
}

// quoteGB adds size and price to a quote.
func (d *dashboard) quoteGB(w http.ResponseWriter, r *http.Request, userID string, op operation) {
	gb, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("gb")))
	if err != nil || gb < 1 || gb > 1_000_000 {
		d.fail(w, r, http.StatusUnprocessableEntity, "GB must be a whole number from 1 to 1,000,000.")
		return
	}
	price, err := d.client.CalculatePrice(r.Context(), gb, whozex.Fresh())
	if err != nil {
		d.fail(w, r, http.StatusBadGateway, explain(err))
		return
	}
	op.GB, op.Amount, op.PricePerGB = gb, price.Total, price.PricePerGB
	d.quote(w, r, userID, op)
}

// addGB makes the call or, for a key that has succeeded, reads its stored response.
func (d *dashboard) addGB(ctx context.Context, op *operation) error {
	pkg, err := d.once.AddGB(ctx, op.ID, op.Into, whozex.AddGBParams{GB: op.GB, Note: op.Note})
	if err == nil {
		op.applyPackage(pkg)
		d.reread(ctx, op.Into)
	}
	return err
}

// reread reads a package again after GB were added, so that it no longer counts as low.
func (d *dashboard) reread(ctx context.Context, id string) {
	if k, ok := d.catalog.get(id); ok {
		_, _ = d.read(ctx, k, whozex.Fresh()) // on an error the survey reads it later
	}
}

// Refill is the GB that the form proposes: as many as were bought.
func (k knownPackage) Refill() int64 { return max(1, k.GB.IntPart()) }
