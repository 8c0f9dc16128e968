// Command topup tops users up by a list of lines "payment,user,amount", each once,
// however often it crashes and is run again.
//
//	go -C examples run ./topup                        on a sandbox, twice
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
		amount, wrong := decimal.NewFromString(line[2])
		if wrong == nil {
			_, wrong = once.AddBalance(ctx, line[0], line[1], amount, "")
		}
		if wrong != nil {
			err = errors.Join(err, fmt.Errorf("payment %s: %w", line[0], wrong)) // run again later
		}
	}
	return err
}
