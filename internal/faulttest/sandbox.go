// Package faulttest is for tests of calls that a server fails: a sandbox with users and a
// package, and all mutating calls with a mark by which the server's log shows how often
// each was carried out. Its own tests make thousands of such calls at random.
package faulttest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

const (
	// Timeout is that of an attempt of [Sandbox.Client].
	Timeout = 300 * time.Millisecond
	// LateCommit is the delay of that fault. It exceeds Timeout, and is half of the grace.
	LateCommit = 2 * Timeout
)

// Faults are all faults of the sandbox.
var Faults = []whozextest.Fault{
	whozextest.CommitThenDrop(), whozextest.DropBeforeCommit(), whozextest.TruncateBody(), whozextest.Garbage(),
	whozextest.StallBeforeCommit(), whozextest.StallAfterCommit(), whozextest.LateCommit(LateCommit),
	whozextest.ServerErrorBeforeCommit(500), whozextest.ServerErrorAfterCommit(503),
	whozextest.HTMLErrorBeforeCommit(502), whozextest.HTMLErrorAfterCommit(504),
}

// Sandbox is a server, a client of it, and what the calls need.
type Sandbox struct {
	T       *testing.T
	Server  *whozextest.Server
	Client  *whozex.Client
	Users   []string
	Package string // of AddGB
}

// New starts a sandbox for the time of the test. The options follow those of the client.
func New(t *testing.T, opts ...whozex.Option) *Sandbox {
	t.Helper()
	server := whozextest.NewServer(whozextest.WithBalance(usd("10000000")))
	t.Cleanup(server.Close)
	client := server.Client(append([]whozex.Option{
		whozex.WithTimeout(Timeout), whozex.WithBackoff(time.Millisecond, 5*time.Millisecond), whozex.WithGrace(2 * LateCommit),
	}, opts...)...)
	t.Cleanup(client.CloseIdleConnections)
	s := &Sandbox{T: t, Server: server, Client: client}
	for i := range 4 {
		s.Users = append(s.Users, s.NewUser(fmt.Sprintf("shared%d@example.com", i)))
	}
	// No fault here: a slow machine must not exceed the short timeout.
	pkg, err := client.PurchasePackage(t.Context(), s.Users[0], whozex.PurchasePackageParams{GB: 1}, whozex.AttemptTimeout(2*LateCommit))
	require.NoError(t, err)
	s.Package = pkg.ID
	return s
}

// NewUser adds a user with money and returns its id.
func (s *Sandbox) NewUser(email string) string {
	id, err := s.Server.AddUser(email, "")
	require.NoError(s.T, err)
	require.NoError(s.T, s.Server.SetUserBalance(id, usd("100000")))
	return id
}

// Operations returns the mutating calls. Each puts mark into its request.
func (s *Sandbox) Operations() map[whozex.Operation]func(mark string) error {
	ctx := s.T.Context()
	any := func() string { return s.Users[rand.IntN(len(s.Users))] }
	return map[whozex.Operation]func(string) error{
		whozex.OpCreateUser: func(mark string) error {
			_, err := s.Client.CreateUser(ctx, whozex.CreateUserParams{Email: mark + "@example.com"})
			return err
		},
		whozex.OpAddBalance: func(mark string) error {
			_, err := s.Client.AddBalance(ctx, any(), usd("1.25"), mark)
			return err
		},
		whozex.OpDeductBalance: func(mark string) error {
			_, err := s.Client.DeductBalance(ctx, any(), usd("0.75"), mark)
			return err
		},
		whozex.OpAddGB: func(mark string) error {
			_, err := s.Client.AddGB(ctx, s.Package, whozex.AddGBParams{GB: 1, Note: mark})
			return err
		},
		whozex.OpPurchasePackage: func(mark string) error {
			// Purchases have no note: the buyer is the mark.
			_, err := s.Client.PurchasePackage(ctx, mark, whozex.PurchasePackageParams{GB: 1})
			return err
		},
		whozex.OpCreateWebhook: func(mark string) error {
			_, err := s.Client.CreateWebhook(ctx, whozex.CreateWebhookParams{URL: "https://" + mark + ".example.com", Events: []string{"none"}})
			return err
		},
	}
}

// Commits counts how often the request with each mark was carried out.
func (s *Sandbox) Commits() map[string]int {
	committed := map[string]int{}
	for _, r := range s.Server.RequestLog() {
		if !r.Committed {
			continue
		}
		for _, text := range []string{r.Body, r.Path} {
			for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(`"/@.:,{}`, r) }) {
				committed[word]++
			}
		}
	}
	return committed
}

func usd(s string) decimal.Decimal { return decimal.RequireFromString(s) }
