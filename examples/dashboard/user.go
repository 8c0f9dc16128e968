package main

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// userView is all that is known of a user. Each part fails on its own.
type userView struct {
	choice
	User     whozex.User
	Packages []packageView
	Known    int
	Types    []whozex.ProxyType
	Usage    usage
	Ledger   ledger
	Events   []happening
	NoEvents string // why there are none
}

func (d *dashboard) user(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	user, err := d.find(ctx, r.PathValue("id"))
	if err != nil {
		d.failed(w, r, err)
		return
	}
	u := userView{choice: choiceOf(r, 30), User: user, Types: proxyTypes}
	packages := d.shelf.list(func(k known) bool { return k.UserID == user.ID })
	charted := d.shelf.list(func(k known) bool { return k.UserID == user.ID && (u.Package == "" || k.ID == u.Package) })
	u.Known = len(packages)
	var all sync.WaitGroup
	all.Go(func() { u.Packages = d.views(ctx, packages[:min(perShelf, len(packages))]) })
	all.Go(func() {
		u.Usage = d.usage(ctx, u.choice, d.views(ctx, charted[:min(perShelf, len(charted))]), len(charted))
	})
	all.Go(func() { u.Ledger = d.ledgerOf(ctx, user, packages) })
	all.Go(func() { u.Events, u.NoEvents = tell(d.store.eventsOf(ctx, user.ID)) })
	all.Wait()
	d.render(w, r, http.StatusOK, "user", user.Name, u)
}

// ownerOf is the user whom an event names, or whose package it does.
func (d *dashboard) ownerOf(event *webhookverify.Event) string {
	var about struct {
		UserID    string `json:"user_id"`
		PackageID string `json:"package_id"`
	}
	if json.Unmarshal(event.Data, &about) != nil {
		return ""
	}
	if about.UserID == "" && about.PackageID != "" {
		for _, k := range d.shelf.list(func(k known) bool { return k.ID == about.PackageID }) {
			return k.UserID
		}
	}
	return about.UserID
}
