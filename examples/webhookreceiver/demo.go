package main

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// register registers url as a webhook. With a real account, do this once and store the
// secret: the API returns it only once, and cannot list or remove webhooks.
func register(ctx context.Context, server *whozextest.Server, url string) (secret string, err error) {
	hook, err := server.Client().CreateWebhook(ctx, whozex.CreateWebhookParams{
		URL: url,
		Events: []string{
			whozex.EventUserCreated, whozex.EventBalanceAdded, whozex.EventPackageCreated, whozex.EventPackageLowGB,
		},
	})
	if err != nil {
		return "", err
	}
	return hook.Secret.Reveal(), nil
}

// causeEvents causes one event of each kind and waits for the deliveries.
func causeEvents(ctx context.Context, server *whozextest.Server) error {
	client := server.Client()
	defer client.CloseIdleConnections()
	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
	if err != nil {
		return err
	}
	if _, err := client.AddBalance(ctx, user.ID, decimal.NewFromInt(50), "payment 1001"); err != nil {
		return err
	}
	pkg, err := client.PurchasePackage(ctx, user.ID, whozex.PurchasePackageParams{GB: 20})
	if err != nil {
		return err
	}
	// The customer uses most of the GB.
	if err := server.UseGB(pkg.ID, decimal.NewFromInt(19)); err != nil {
		return err
	}
	if err := server.WaitDeliveries(ctx); err != nil {
		return fmt.Errorf("waiting for the events: %w", err)
	}
	return nil
}
