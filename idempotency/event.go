package idempotency

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// clocksApart is what the clocks of the API and of this machine may differ by.
const clocksApart = time.Minute

// HandleEvent settles a purchase by its package.created event, which is the only
// way to learn the package's id when the response was lost. It fits
// [webhookverify.Verifier.Handler]. Events of other names are ignored, and an
// event may come before the response, and more than once.
//
// An event is the open purchase's if user and size are, if it is not older than
// the request, and if no other key has the package. What remains is that someone
// else buys the same size for the user outside this store: do not. A package that
// no key accounts for is left alone; [Once.FindResult] tells of it afterwards.
func (o *Once) HandleEvent(ctx context.Context, event *webhookverify.Event) error {
	if event.Name != whozex.EventPackageCreated || o.shared {
		return nil
	}
	var created whozex.PackageCreated
	if err := event.Decode(&created); err != nil {
		return fmt.Errorf("idempotency: %w", err)
	}
	if created.PackageID == "" || created.UserID == "" {
		return fmt.Errorf("idempotency: %w: %s names no package or no user", webhookverify.ErrMalformedEvent, event.Name)
	}
	known, err := o.store.one(ctx, `WHERE result_id = $1 AND result_id <> '' AND operation = 'PurchasePackage'`, created.PackageID)
	if err != nil || known != nil {
		return err
	}
	r, err := o.store.openPurchase(ctx, created.UserID)
	if err != nil || r == nil || !fits(r, created, event.Timestamp) {
		return err
	}
	if !slices.Contains(r.heard, created.PackageID) {
		if _, err := o.store.hear(ctx, r, created.PackageID); err != nil {
			return fmt.Errorf("idempotency: hear of package %s: %w", created.PackageID, err)
		}
	}
	// The call may have ended meanwhile, without having seen that.
	if r, err = o.store.get(ctx, r.Key); err != nil || r == nil || r.InProgress || !r.open() {
		return err
	}
	_, err = o.settle(ctx, r)
	return err
}

func fits(r *Record, created whozex.PackageCreated, at time.Time) bool {
	if !created.GB.Equal(decimal.NewFromInt(paramsOf(r).GB)) {
		return false
	}
	return at.IsZero() || r.Unknown == nil || !at.Before(r.Unknown.SentAt.Add(-clocksApart))
}
