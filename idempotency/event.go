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

// maxClockSkew is the accepted difference between the clocks of the API and of this
// machine.
const maxClockSkew = time.Minute

// HandleEvent resolves a purchase with its package.created event. If the response
// was lost, only the event has the package's id. HandleEvent can be passed to
// [webhookverify.Verifier.Handler]. It ignores other events, and it accepts an
// event before the response and more than once.
//
// An event belongs to the user's open purchase if the size is the same, if it is
// not older than the request, and if no other key has the package. A purchase of
// the same size for the same user outside this store would be taken for it, see
// [WithOtherBuyers]. A package without a key is ignored: [Once.FindResult] returns
// [ErrUnknownKey] for it.
func (o *Once) HandleEvent(ctx context.Context, event *webhookverify.Event) error {
	if event.Name != whozex.EventPackageCreated || o.otherBuyers {
		return nil
	}
	var created whozex.PackageCreated
	if err := event.Decode(&created); err != nil {
		return fmt.Errorf("idempotency: %w", err)
	}
	if created.PackageID == "" || created.UserID == "" {
		return fmt.Errorf("idempotency: %w: %s has no package id or no user id", webhookverify.ErrMalformedEvent, event.Name)
	}
	known, err := o.store.queryOne(ctx, `WHERE result_id = $1 AND result_id <> '' AND operation = 'PurchasePackage'`, created.PackageID)
	if err != nil || known != nil {
		return err
	}
	r, err := o.store.openPurchase(ctx, created.UserID)
	if err != nil || r == nil || !matchesPurchase(r, created, event.Timestamp) {
		return err
	}
	if !slices.Contains(r.eventPackages, created.PackageID) {
		if _, err := o.store.addEventPackage(ctx, r, created.PackageID); err != nil {
			return fmt.Errorf("idempotency: store event of package %s: %w", created.PackageID, err)
		}
	}
	// The call may have ended before it could see the event: read the row again.
	if r, err = o.store.get(ctx, r.Key); err != nil || r == nil || r.InProgress || !r.open() {
		return err
	}
	_, err = o.settleAndNotify(ctx, r)
	return err
}

func matchesPurchase(r *Record, created whozex.PackageCreated, at time.Time) bool {
	if !created.GB.Equal(decimal.NewFromInt(parseParams(r).GB)) {
		return false
	}
	return at.IsZero() || r.Unknown == nil || !at.Before(r.Unknown.SentAt.Add(-maxClockSkew))
}
