// Command topup reads lines of "payment,user,amount" and adds the amounts, in USD, to
// the users' balances. If it crashes, run it again: each payment is made once.
//
//	go -C examples run ./topup                        twice, on a fake server
//	WHOZEX_API_KEY=wx_live_example go run . sqlite:payments.db < payments.csv
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/shopspring/decimal"
	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
)

func main() {
	if err := start(context.Background()); err != nil {
		log.Fatal("topup: ", err)
	}
}

func start(ctx context.Context) error {
	if len(os.Args) < 2 {
		return demo(ctx)
	}
	client, err := whozex.FromEnv()
	if err != nil {
		return err
	}
	return topUp(ctx, client, os.Args[1], os.Stdin)
}

func topUp(ctx context.Context, client *whozex.Client, dataSource string, list io.Reader) error {
	store, err := idempotency.Open(ctx, dataSource)
	if err != nil {
		return err
	}
	defer store.Close()
	once := idempotency.New(client, store)
	reader := csv.NewReader(list)
	reader.FieldsPerRecord = 3
	lines, err := reader.ReadAll()
	for _, line := range lines {
		payment, user := line[0], line[1]
		amount, lineErr := decimal.NewFromString(line[2])
		if lineErr == nil {
			_, lineErr = once.AddBalance(ctx, payment, user, amount, "")
		}
		if lineErr != nil {
			err = errors.Join(err, fmt.Errorf("payment %s: %w", payment, lineErr)) // continue with the others
		}
	}
	return err
}
