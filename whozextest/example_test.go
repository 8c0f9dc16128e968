package whozextest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
	"github.com/whozex/whozex-go/whozextest"
)

func ExampleNewServer() {
	server := whozextest.NewServer(whozextest.WithBalance(decimal.NewFromInt(1000)), whozextest.WithUsers(3))
	defer server.Close()
	account, err := server.Client().GetAccount(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(account.Balance.StringFixed(2), account.Stats.SubUsers)
	// Output: 1000.00 3
}

func ExampleServer_Inject() {
	server := whozextest.NewServer()
	defer server.Close()
	userID, err := server.AddUser("john@example.com", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	// The line breaks after the money has moved: does your code try again?
	server.Inject(whozex.OpAddBalance, whozextest.CommitThenDrop(), 1)
	_, err = server.Client().AddBalance(context.Background(), userID, decimal.NewFromInt(10), "payment 1001")
	fmt.Println(errors.Is(err, whozex.ErrOutcomeUnknown), server.Commits(whozex.OpAddBalance))
	for _, entry := range server.Ledger() {
		if entry.To == userID {
			fmt.Println(entry.From, entry.Amount)
		}
	}
	// Output:
	// true 1
	// reseller 10
}

func ExampleNewEventRequest() {
	verifier, err := webhookverify.New("wxsec_example")
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := verifier.Handler(func(_ context.Context, event *webhookverify.Event) error {
		var created whozex.PackageCreated
		if err := event.Decode(&created); err != nil {
			return err
		}
		fmt.Println(created.PackageID, created.GB)
		return nil
	})

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, whozextest.NewEventRequest("wxsec_example", whozex.EventPackageCreated,
		whozex.PackageCreated{PackageID: "PKG-A1B2C3", GB: decimal.NewFromInt(20)}))
	fmt.Println(w.Code)
	// Output:
	// PKG-A1B2C3 20
	// 200
}
