package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/internal/shop"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/webhookverify"
)

// onEvent notifies the owner of a package that is nearly used up, once until GB are
// added. The fields of this event are not documented: the admins receive an event
// that cannot be decoded.
func (b *bot) onEvent(ctx context.Context, event *webhookverify.Event) error {
	if event.Name != whozex.EventPackageLowGB {
		return nil
	}
	var low struct {
		PackageID string `json:"package_id"`
	}
	decodeErr := event.Decode(&low)
	owner, _, err := b.shop.Owner(ctx, low.PackageID)
	switch {
	case decodeErr != nil || errors.Is(err, idempotency.ErrUnknownKey) || errors.Is(err, shop.ErrNoOrder):
		b.notifyAdmins(ctx, formatHTML("An event could not be decoded:\n<code>%v</code>", fmt.Sprintf("%.3000s", event.Body)))
		return nil
	case err != nil:
		return err
	}
	pkg, err := b.api.GetPackage(ctx, low.PackageID)
	if err != nil {
		return err // the event is redelivered
	}
	// AddGB changes the total, and the owner is notified again.
	total := pkg.TotalGB.String()
	if notified, _ := b.lowNotified.Swap(low.PackageID, total); notified != total {
		b.sendMessage(ctx, owner.Customer, formatHTML("Package <code>%v</code> has %v of %v GB left.", low.PackageID, pkg.RemainingGB, total))
	}
	return nil
}
