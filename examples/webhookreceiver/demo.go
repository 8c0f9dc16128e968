package main

import (
	"context"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// register makes the sandbox send its events to url. With a real account this is
// done once and the secret is stored: the API shows it only this once, and has no
// route to list or to remove a webhook.
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

// trade does what causes one event of each kind, and waits for their delivery.
func trade(ctx context.Context, server *whozextest.Server) error {
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
	// The customer browses until little is left.
	if err := server.UseGB(pkg.ID, decimal.NewFromInt(19)); err != nil {
		return err
	}
	if err := server.WaitDeliveries(ctx); err != nil {
		return fmt.Errorf("waiting for the events: %w", err)
	}
	return nil
}
