package main

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// userView is the page of a user. An error in one part does not affect the others.
type userView struct {
	choice
	User     whozex.User
	Packages []packageView
	Known    int
	Types    []whozex.ProxyType
	Usage    usage
	Ledger   ledger
	Events   []eventView
	NoEvents string // the error, if they cannot be read
}

func (d *dashboard) user(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	user, err := d.find(ctx, r.PathValue("id"))
	if err != nil {
		d.failed(w, r, err)
		return
	}
	u := userView{choice: choiceOf(r, 30), User: user, Types: proxyTypes}
	packages := d.catalog.list(func(k knownPackage) bool { return k.UserID == user.ID })
	charted := d.catalog.list(func(k knownPackage) bool { return k.UserID == user.ID && (u.Package == "" || k.ID == u.Package) })
	u.Known = len(packages)
	var all sync.WaitGroup
	all.Go(func() { u.Packages = d.views(ctx, packages[:min(maxPackages, len(packages))]) })
	all.Go(func() {
		u.Usage = d.usage(ctx, u.choice, d.views(ctx, charted[:min(maxPackages, len(charted))]), len(charted))
	})
	all.Go(func() { u.Ledger = d.ledgerOf(ctx, user, packages) })
	all.Go(func() { u.Events, u.NoEvents = explained(d.store.eventsOf(ctx, user.ID)) })
	all.Wait()
	d.render(w, r, http.StatusOK, "user", user.Name, u)
}

// ownerOf returns the user that an event names, or the user of the package it names.
func (d *dashboard) ownerOf(event *webhookverify.Event) string {
	var about struct {
		UserID    string `json:"user_id"`
		PackageID string `json:"package_id"`
	}
	if json.Unmarshal(event.Data, &about) != nil {
		return ""
	}
	if about.UserID == "" && about.PackageID != "" {
		for _, k := range d.catalog.list(func(k knownPackage) bool { return k.ID == about.PackageID }) {
			return k.UserID
		}
	}
	return about.UserID
}
