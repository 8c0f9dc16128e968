// Command whozex makes one GET with the SDK. The test compares its binary size.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/whozex/whozex-go"
)

func main() {
	client, err := whozex.FromEnv()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	account, err := client.GetAccount(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(account.Balance)
}
