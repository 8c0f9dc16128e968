package main

import (
	"context"
	"fmt"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/examples/shop"
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
	bought, owners, err := b.shop.Orders(func(_ *shop.Customer, o *shop.Order) bool {
		return low.PackageID != "" && o.PackageID == low.PackageID
	})
	if err != nil {
		return err
	}
	if readErr != nil || len(bought) == 0 {
		b.alarm(ctx, say("An event came that cannot be read here:\n<code>%v</code>", fmt.Sprintf("%.3000s", event.Body)))
		return nil
	}
	pkg, err := b.api.GetPackage(ctx, low.PackageID)
	if err != nil {
		return err // it comes again
	}
	// More GB make the total another one, and the next crossing a new one.
	news, total := false, pkg.TotalGB.String()
	_, err = b.shop.Change(owners[0].ID, bought[0].ID, func(_ *shop.Customer, o *shop.Order) error {
		news, o.Told = o.Told != total, total
		return nil
	})
	if err == nil && news {
		b.tell(ctx, owners[0].ID, say("Package <code>%v</code> has %v of %v GB left.", low.PackageID, pkg.RemainingGB, total))
	}
	return err
}
