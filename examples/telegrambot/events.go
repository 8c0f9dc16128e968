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

// onEvent tells the owner that little is left, once for each crossing. That event's
// fields are not documented: what cannot be read goes to the admins as it came.
func (b *bot) onEvent(ctx context.Context, event *webhookverify.Event) error {
	if event.Name != whozex.EventPackageLowGB {
		return nil
	}
	var low struct {
		PackageID string `json:"package_id"`
	}
	readErr := event.Decode(&low)
	owner, _, err := b.shop.Owner(ctx, low.PackageID)
	switch {
	case readErr != nil || errors.Is(err, idempotency.ErrUnknownKey) || errors.Is(err, shop.ErrNoOrder):
		b.alarm(ctx, say("An event came that cannot be read here:\n<code>%v</code>", fmt.Sprintf("%.3000s", event.Body)))
		return nil
	case err != nil:
		return err
	}
	pkg, err := b.api.GetPackage(ctx, low.PackageID)
	if err != nil {
		return err // it comes again
	}
	// More GB make the total another one, and the next crossing a new one.
	total := pkg.TotalGB.String()
	if told, _ := b.low.Swap(low.PackageID, total); told != total {
		b.tell(ctx, owner.Customer, say("Package <code>%v</code> has %v of %v GB left.", low.PackageID, pkg.RemainingGB, total))
	}
	return nil
}
