package whozextest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go"
)

// randomCall makes one random call, directly to the HTTP handler.
type randomCall struct {
	t        *testing.T
	s        *Server
	users    []string
	packages []string
}

var wanderFaults = []Fault{
	CommitThenDrop(), DropBeforeCommit(), TruncateBody(), ServerErrorBeforeCommit(500), ServerErrorAfterCommit(500), Garbage(),
}

func (w *randomCall) step(pick func(n int) int) {
	one := func(ids []string) string {
		if len(ids) == 0 {
			return "nobody"
		}
		return ids[pick(len(ids))]
	}
	post := func(path, body string) reply {
		r, _ := send(request(w.t, w.s, "POST", path, body))
		return r
	}
	id := func(r reply) string { return string(trimQuotes(r.Data["id"])) }
	amount := fmt.Sprintf("%d.%03d", pick(60), pick(1000))
	switch pick(9) {
	case 0:
		if got := id(post("/users", fmt.Sprintf(`{"email":"u%d@example.com"}`, pick(20)))); got != "" {
			w.users = append(w.users, got)
		}
	case 1, 2:
		post("/users/"+one(w.users)+"/balance", `{"action":"add","amount":`+amount+`}`)
	case 3:
		post("/users/"+one(w.users)+"/balance", `{"action":"deduct","amount":`+amount+`}`)
	case 4:
		if got := id(post("/users/"+one(w.users)+"/packages", fmt.Sprintf(`{"gb":%d}`, pick(30)))); got != "" {
			w.packages = append(w.packages, got)
		}
	case 5:
		post("/packages/"+one(w.packages)+"/add-gb", fmt.Sprintf(`{"gb":%d}`, pick(30)))
	case 6:
		ops := []whozex.Operation{whozex.OpAddBalance, whozex.OpDeductBalance, whozex.OpPurchasePackage, whozex.OpAddGB}
		w.s.Inject(ops[pick(len(ops))], wanderFaults[pick(len(wanderFaults))], 1)
	case 7:
		_ = w.s.SetUserBalance(one(w.users), usd(amount))
		_ = w.s.SetBalance(usd(fmt.Sprint(pick(300))))
	case 8:
		if pick(4) == 0 {
			_ = w.s.RemoveUser(one(w.users))
		}
		_ = w.s.UseGB(one(w.packages), usd("1.25"))
	}
}

func trimQuotes(raw []byte) []byte {
	if len(raw) < 2 {
		return nil
	}
	return raw[1 : len(raw)-1]
}

func TestLedger_MoneyIsConserved(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := NewServer()
		defer s.Close()
		w := &randomCall{t: t, s: s}
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "pick") }
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			w.step(pick)
			assertConserved(rt, s)
		}
	})
}

func TestLedger_MoneyIsConservedConcurrently(t *testing.T) {
	s := start(t, WithBalance(usd("1000")))
	user := addUser(t, s, "a@example.com", "20")
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 15 {
				path, body := "/balance", `{"action":"add","amount":0.1}`
				if i%2 == 0 {
					path, body = "/packages", `{"gb":1}`
				}
				_, err := send(request(t, s, "POST", "/users/"+user+path, body))
				assert.NoError(t, err)
			}
		})
	}
	group.Wait()
	assertConserved(t, s)
	assert.Equal(t, 60, s.Commits(whozex.OpAddBalance))
}
