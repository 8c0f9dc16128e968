package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/whozex/whozex-go"
)

// quoteAddGB asks for GB for a package that is known here. Its owner pays.
func (d *dashboard) quoteAddGB(w http.ResponseWriter, r *http.Request) {
	k, ok := d.shelf.get(r.PathValue("id"))
	if !ok {
		d.fail(w, r, http.StatusNotFound, "The dashboard does not know this package.")
		return
	}
	d.quoteGB(w, r, k.UserID, operation{ID: newKey(), Kind: "add-gb", Into: k.ID})
}

// quoteGB fills in size and price.
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

// addGB makes the call, or for a key that has succeeded reads its response.
func (d *dashboard) addGB(ctx context.Context, op *operation) error {
	pkg, err := d.once.AddGB(ctx, op.ID, op.Into, whozex.AddGBParams{GB: op.GB, Note: op.Note})
	if err == nil {
		op.bought(pkg)
		d.refilled(ctx, op.Into)
	}
	return err
}

// refilled reads the package anew, so that it is not taken for low any more.
func (d *dashboard) refilled(ctx context.Context, id string) {
	if k, ok := d.shelf.get(id); ok {
		_, _ = d.read(ctx, k, whozex.Fresh()) // the survey comes round to it otherwise
	}
}

// Refill is how many GB the form proposes: as many as were bought.
func (k known) Refill() int64 { return max(1, k.GB.IntPart()) }
