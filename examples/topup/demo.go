package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

// demo processes the same list twice on a fake server. The first response is lost.
func demo(ctx context.Context) error {
	server := whozextest.NewServer(whozextest.WithUsers(3))
	defer server.Close()
	dir, err := os.MkdirTemp("", "topup")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	client := server.Client()
	users, err := whozex.Collect(client.AllUsers(ctx, whozex.ListUsersParams{}))
	if err != nil {
		return err
	}
	var list strings.Builder
	for i, user := range users {
		fmt.Fprintf(&list, "payment-%d,%s,12.50\n", 1001+i, user.ID)
	}
	fmt.Print(list.String())
	server.Inject(whozex.OpAddBalance, whozextest.CommitThenDrop(), 1)
	for range 2 {
		if err := topUp(ctx, client, "sqlite:"+filepath.Join(dir, "payments.db"), strings.NewReader(list.String())); err != nil {
			return err
		}
		fmt.Printf("top-ups on the server: %d of %d\n", server.Commits(whozex.OpAddBalance), len(users))
	}
	return nil
}
